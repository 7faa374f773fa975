"""Made-up features and slices for the tests of fidelity."""

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor


def waves(n: int, features: int, phase: float) -> Tensor:
    """(n, features) float64 by a formula, so that other programs can be given the same."""
    i, j = np.meshgrid(np.arange(1, n + 1), np.arange(1, features + 1), indexing="ij")
    return torch.from_numpy(np.sin(i * j * 1.7 + phase * j) + 0.3 * np.cos(i * i * 0.9 + phase))


REAL, GENERATED = waves(40, 6, 0.0), waves(30, 6, 0.4) * 0.5 + 0.6


def normal(n: int, features: int, seed: int) -> Tensor:
    return torch.randn(
        n, features, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )


def slices(patients: int, each: int, seed: int) -> tuple[np.ndarray, list[str]]:
    """Textured discs as CE-T1w, FLAIR, null, and whose they are; a patient's have one radius."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[-16:16, -16:16]
    images, names = [], []
    for patient in range(patients):
        radius = chance.uniform(7, 14)
        for _ in range(each):
            disc = 60.0 * (x * x + y * y < (radius + chance.normal() / 2) ** 2)
            texture = gaussian_filter(chance.normal(0, 60, (2, 32, 32)), (0, 1, 1))
            t1, flair = disc + texture * (disc > 0)
            images.append(np.stack([t1 + 40, 1.5 * flair + 60, 0 * t1], axis=-1))
            names.append(f"P{patient:02d}")
    return np.clip(images, 0, 255).astype(np.uint8) * np.array([1, 1, 0], np.uint8), names
