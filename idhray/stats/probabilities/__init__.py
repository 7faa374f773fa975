"""Predicted probabilities: calibration, decision curves and the age model."""
