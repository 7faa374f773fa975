"""Image generators: train one on one class of images, and sample from it."""
