"""Random numbers seeded by run seed and row id, independent of worker count and order."""

import hashlib

import numpy as np


def seed_for(seed: int, *ids: object) -> int:
    """63-bit seed from the run's seed and the ids of what is drawn, e.g. `("tile", slide, 3)`."""
    text = "\x1f".join(str(part) for part in (seed, *ids))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *ids: object) -> np.random.Generator:
    """NumPy generator for one purpose; the same ids draw the same numbers on any machine."""
    return np.random.default_rng(seed_for(seed, *ids))
