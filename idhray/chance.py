"""Random numbers seeded by run seed and row id, so that worker count and order change nothing."""

import hashlib

import numpy as np


def seed_for(seed: int, *ids: object) -> int:
    """A 63-bit seed made of the run's seed and what is being drawn, e.g. `("tile", slide, 3)`."""
    text = "\x1f".join(str(part) for part in (seed, *ids))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *ids: object) -> np.random.Generator:
    """A NumPy generator for one purpose; the same ids draw the same numbers anywhere."""
    return np.random.default_rng(seed_for(seed, *ids))
