"""PGGAN: settings, networks, losses and training steps."""
