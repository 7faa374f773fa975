"""Classifiers: image to probability of IDH mutation, images to patient."""
