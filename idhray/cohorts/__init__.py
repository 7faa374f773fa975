"""Cohorts: the manifest, labels, the patient split, and importers of public tables."""
