"""PGGAN: settings, networks, phases, schedule and training steps."""
