"""Phantom MRI cohort: brains with gliomas of a known truth, and simulated readers of slices."""
