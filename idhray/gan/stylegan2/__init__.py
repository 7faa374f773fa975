"""StyleGAN2: settings, networks, phases, training steps and transfer."""
