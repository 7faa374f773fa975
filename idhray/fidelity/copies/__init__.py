"""Search for generated images that are copies of training images."""
