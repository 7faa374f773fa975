"""The statistics of a reader study, in the shape of Park et al. 2021: READINGS to tables 1 to 3."""
