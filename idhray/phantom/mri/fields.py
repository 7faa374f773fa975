"""Shapes and noise as maps over a grid of points, from which the phantom head is built.

Lengths are in mm. Head coordinates are x to the patient's right, y anterior, z superior, with the
origin in the middle of the brain. A depth is positive inside a shape and grows by about 1 per mm.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

HeadMap = NDArray[np.float32]  # (i, j, k)
HeadPoints = tuple[HeadMap, HeadMap, HeadMap]  # x, y, z of every point
HeadVector = tuple[float, float, float]

NOISE_POINTS = 64


def inside(depth: HeadMap, soft_mm: float) -> HeadMap:
    """Soft mask: 1 where `depth` is positive, 0 where negative, with a ramp of `soft_mm`."""
    return np.asarray(np.clip(depth / np.float32(soft_mm) + np.float32(0.5), 0, 1))


def ellipsoid(
    points: HeadPoints, center: HeadVector, semi: HeadVector, power: float = 2
) -> HeadMap:
    """Depth in an ellipsoid along the ray from its center; a `power` above 2 makes it boxier."""
    away = [p - np.float32(c) for p, c in zip(points, center, strict=True)]
    return _radial(away, [a / np.float32(s) for a, s in zip(away, semi, strict=True)], power)


def _radial(away: list[HeadMap], scaled: list[HeadMap], power: float) -> HeadMap:
    k: HeadMap
    if power == 2:
        k = np.asarray(np.sqrt(sum(s * s for s in scaled)))
    else:
        total = sum(np.abs(s) ** np.float32(power) for s in scaled)
        k = np.asarray(total ** np.float32(1 / power))
    k = np.maximum(k, np.float32(0.05))  # the center has no direction
    return np.asarray(np.sqrt(sum(a * a for a in away)) * (1 / k - 1), dtype=np.float32)


def chain(points: HeadPoints, knots: list[tuple[HeadVector, float]]) -> HeadMap:
    """Depth in a tube through knots (center, radius)."""
    return np.asarray(np.maximum.reduce([_segment(points, *a, *b) for a, b in pairwise(knots)]))


def _segment(
    points: HeadPoints, a: HeadVector, radius_a: float, b: HeadVector, radius_b: float
) -> HeadMap:
    along = np.subtract(b, a).astype(np.float32)
    away = [p - np.float32(c) for p, c in zip(points, a, strict=True)]
    t = sum(d * u for d, u in zip(away, along, strict=True)) / np.float32(along @ along)
    t = np.clip(t, 0, 1)
    off = sum((d - t * u) ** 2 for d, u in zip(away, along, strict=True))
    return np.asarray(
        np.float32(radius_a) + np.float32(radius_b - radius_a) * t - np.sqrt(off), dtype=np.float32
    )


def smooth_noise(random: np.random.Generator, shape: tuple[int, ...], feature: float) -> HeadMap:
    """Noise of `shape` with about zero mean and unit SD; its zeros lie about 2.5 `feature` apart.

    The noise is a cubic B-spline with random coefficients `feature` grid points apart.
    """
    knots = [int(np.ceil((side - 1) / feature)) + 4 for side in shape]
    field = random.standard_normal(knots, dtype=np.float32)
    for axis, side in enumerate(shape):
        basis = _spline_basis(side, feature, knots[axis])
        # einsum instead of BLAS, whose sums may depend on the number of threads.
        field = np.moveaxis(np.einsum("na,a...->n...", basis, np.moveaxis(field, axis, 0)), 0, axis)
    return np.ascontiguousarray(field * np.float32(1 / _SPLINE_SD ** len(shape)))


_SPLINE_SD = 0.6926  # mean SD of a cubic B-spline with white coefficients


def _spline_basis(side: int, feature: float, knots: int) -> NDArray[np.float32]:
    """Weights (side, knots) of every coefficient at every grid point."""
    u = np.abs(np.arange(side)[:, None] / feature + 1 - np.arange(knots)[None, :])
    near = 2 / 3 - u**2 + u**3 / 2
    far = np.clip(2 - u, 0, None) ** 3 / 6
    return np.where(u < 1, near, far).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Noise:
    """Smooth noise that can be evaluated at any point."""

    values: HeadMap
    step_mm: float

    def at(self, points: HeadPoints) -> HeadMap:
        """Values at points; the noise is mirrored beyond its box around the origin."""
        scale, middle = np.float32(1 / self.step_mm), np.float32((self.values.shape[0] - 1) / 2)
        places = np.stack([p * scale + middle for p in points])
        return np.asarray(
            ndimage.map_coordinates(self.values, places, order=1, mode="mirror"),
            dtype=np.float32,
        )


def noise_box(random: np.random.Generator, feature_mm: float) -> Noise:
    """Noise over a cube of NOISE_POINTS grid points per side, 0.4 `feature_mm` apart."""
    return Noise(smooth_noise(random, (NOISE_POINTS,) * 3, 2.5), feature_mm / 2.5)
