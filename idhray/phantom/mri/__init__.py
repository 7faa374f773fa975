"""The made-up MRI cohort: brains with gliomas of a known truth, and the readers of their slices."""
