"""Sensitivity, specificity and accuracy at a threshold."""
