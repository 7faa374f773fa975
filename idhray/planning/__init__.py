"""Sample size and power: which gain a cohort can show."""
