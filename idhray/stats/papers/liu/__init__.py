"""A histology study in the shape of Liu et al. 2020: PREDICTIONS to tables 1 to 4."""
