"""Copies of remote slides on the local disk of a node."""
