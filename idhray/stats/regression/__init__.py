"""Logistic regression: design, fit, intervals, tests and stepwise choice."""
