"""Checks of `idhray doctor`: is this machine, or this cluster, ready for a study?"""
