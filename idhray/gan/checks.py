"""Checks of settings, and numbers, that several architectures share."""

from collections.abc import Iterable
from typing import Any, Literal

from idhray.errors import ConfigError

STD_GROUP = 4
"""Images per group of the minibatch standard deviation. Source: networks.py:127 of the PGGAN that
Liu et al. 2020 ran; the same number in the StyleGAN2 that Park et al. 2021 ran."""

PatientWeights = Literal["equal", "images"]
ImageSymmetry = Literal["none", "mirror", "dihedral"]
"""Show real images unchanged, mirrored at random, or in one of 8 flips and quarter turns."""


def check_resolution(resolution_px: int, smallest_px: int) -> None:
    """Refuse a side that is no power of two, or too small."""
    if resolution_px < smallest_px or resolution_px & (resolution_px - 1):
        raise ConfigError(
            f"resolution_px must be a power of two >= {smallest_px}, got {resolution_px}"
        )


def check_batch(name: str, size: int) -> None:
    """Refuse a batch that is not a multiple of the group size."""
    if size < 1 or size % STD_GROUP:
        raise ConfigError(f"{name} must be multiples of {STD_GROUP}, got {size}")


def check_above_zero(settings: Any, names: Iterable[str]) -> None:
    """Refuse fields that are 0, negative or NaN."""
    for name in names:
        if not getattr(settings, name) > 0:
            raise ConfigError(f"{name} must be above 0, got {getattr(settings, name)}")


def check_not_negative(settings: Any, names: Iterable[str]) -> None:
    """Refuse fields that are negative or NaN."""
    for name in names:
        if not getattr(settings, name) >= 0:
            raise ConfigError(f"{name} must be 0 or more, got {getattr(settings, name)}")


def check_below_one(settings: Any, names: Iterable[str]) -> None:
    """Refuse fields outside [0, 1)."""
    for name in names:
        if not 0 <= getattr(settings, name) < 1:
            raise ConfigError(f"{name} must be in [0, 1), got {getattr(settings, name)}")


def check_patient_weights(weights: str) -> None:
    """Refuse a value that is not a `PatientWeights`."""
    if weights not in ("equal", "images"):
        raise ConfigError(f"patient_weights must be equal or images, got {weights!r}")


def check_symmetry(symmetry: str) -> None:
    """Refuse a value that is not an `ImageSymmetry`."""
    if symmetry not in ("none", "mirror", "dihedral"):
        raise ConfigError(f"symmetry must be none, mirror or dihedral, got {symmetry!r}")
