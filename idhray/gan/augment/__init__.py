"""Augmentation of the images that a discriminator sees."""
