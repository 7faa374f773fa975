"""StyleGAN2: settings, networks, losses and training steps."""
