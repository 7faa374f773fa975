"""Generative adversarial networks: train one on one class of images, sample from it."""
