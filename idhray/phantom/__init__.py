"""Phantom cohort with a known truth: slides, ages, tissue masks."""
