"""Simulated experiments with a known truth, judged by the decision code of the package."""
