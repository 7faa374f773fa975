"""Multi-reader multi-case analysis: people, or trainings of a classifier, as readers of cases."""
