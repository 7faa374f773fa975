"""A made-up cohort with a known truth: slides, ages, tissue masks."""
