"""Statistics of a cohort that the models of an experiment were applied to."""
