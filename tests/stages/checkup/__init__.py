"""Tests of the checks of `idhray doctor`."""
