"""Readers of single cells: one for each column of a manifest, shared by all importers."""
