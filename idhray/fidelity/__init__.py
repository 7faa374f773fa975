"""Distance of generated images from real ones, and search for copies of training images."""
