"""Hypothesis tests of numbers, counts and paired answers."""
