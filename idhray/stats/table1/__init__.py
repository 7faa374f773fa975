"""Table 1: characteristics of the cases in each group."""
