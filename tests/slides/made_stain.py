"""Pictures of known stains, made for a test."""

import numpy as np

from idhray.slides.stain.vectors import GLASS

HEMATOXYLIN = (0.65, 0.70, 0.29)
EOSIN = (0.12, 0.95, 0.28)


def unit(*vectors):
    """(n, 3) of length 1 each."""
    found = np.array(vectors, dtype=float)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


STAINS = unit(HEMATOXYLIN, EOSIN)


def amounts(count: int, pure: float = 0.3, seed: int = 0) -> np.ndarray:
    """Concentrations (2, count): of each stain a share `pure` of the pixels has next to no other,
    as nuclei and fibers have."""
    random = np.random.default_rng(seed)
    found = random.gamma(2, 0.5, (2, count))
    lot = random.random(count)
    found[1, lot < pure] *= 0.02
    found[0, lot > 1 - pure] *= 0.02
    return found


def picture(concentration: np.ndarray, stains: np.ndarray = STAINS, noise: float = 1.0):
    """RGB pixels (n, 3) uint8 by Beer-Lambert, with noise in gray values."""
    random = np.random.default_rng(7)
    light = GLASS * np.exp(-concentration.T @ stains)
    return np.clip(np.rint(light + random.normal(0, noise, light.shape)), 0, 255).astype(np.uint8)


def degrees(a, b) -> float:
    """Between two vectors."""
    return float(np.degrees(np.arccos(np.clip(unit(a)[0] @ unit(b)[0], -1, 1))))
