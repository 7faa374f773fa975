"""Classifiers: the probability of IDH mutation of an image, and of a patient's images."""
