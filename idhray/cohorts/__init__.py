"""Cohorts: the manifest, its labels and split, and importers of public tables."""
