"""Shapes and noise as fields over a grid of points: the material of the made-up head.

Lengths are mm, coordinates are head coordinates: x to the patient's right, y anterior, z superior,
the origin in the middle of the brain. A depth is positive inside a shape and grows by about 1 per
mm.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Field = NDArray[np.float32]  # (i, j, k)
Points = tuple[Field, Field, Field]  # x, y, z of every point
Vector = tuple[float, float, float]


def inside(depth: Field, soft_mm: float) -> Field:
    """1 where `depth` is positive, 0 where negative, and a ramp of `soft_mm` between."""
    return np.asarray(np.clip(depth / np.float32(soft_mm) + np.float32(0.5), 0, 1))


def ellipsoid(points: Points, center: Vector, semi: Vector, power: float = 2) -> Field:
    """Depth along the ray from the center; a `power` above 2 makes it boxier."""
    away = [p - np.float32(c) for p, c in zip(points, center, strict=True)]
    return _radial(away, [a / np.float32(s) for a, s in zip(away, semi, strict=True)], power)


def _radial(away: list[Field], scaled: list[Field], power: float) -> Field:
    k: Field
    if power == 2:
        k = np.asarray(np.sqrt(sum(s * s for s in scaled)))
    else:
        total = sum(np.abs(s) ** np.float32(power) for s in scaled)
        k = np.asarray(total ** np.float32(1 / power))
    k = np.maximum(k, np.float32(0.05))  # the very center has no direction
    return np.asarray(np.sqrt(sum(a * a for a in away)) * (1 / k - 1), dtype=np.float32)


def chain(points: Points, knots: list[tuple[Vector, float]]) -> Field:
    """Depth in a tube through the knots (center, radius)."""
    return np.asarray(np.maximum.reduce([_segment(points, *a, *b) for a, b in pairwise(knots)]))


def _segment(points: Points, a: Vector, radius_a: float, b: Vector, radius_b: float) -> Field:
    along = np.subtract(b, a).astype(np.float32)
    away = [p - np.float32(c) for p, c in zip(points, a, strict=True)]
    t = sum(d * u for d, u in zip(away, along, strict=True)) / np.float32(along @ along)
    t = np.clip(t, 0, 1)
    off = sum((d - t * u) ** 2 for d, u in zip(away, along, strict=True))
    return np.asarray(
        np.float32(radius_a) + np.float32(radius_b - radius_a) * t - np.sqrt(off), dtype=np.float32
    )


def smooth_noise(random: np.random.Generator, shape: tuple[int, ...], feature: float) -> Field:
    """Noise of `shape`, about zero mean and unit SD; its zeros lie about 2.5 `feature` apart.

    A cubic B-spline with random coefficients `feature` grid points apart.
    """
    knots = [int(np.ceil((side - 1) / feature)) + 4 for side in shape]
    field = random.standard_normal(knots, dtype=np.float32)
    for axis, side in enumerate(shape):
        basis = _spline_basis(side, feature, knots[axis])
        # einsum, not BLAS, whose sums may depend on the number of threads.
        field = np.moveaxis(np.einsum("na,a...->n...", basis, np.moveaxis(field, axis, 0)), 0, axis)
    return np.ascontiguousarray(field * np.float32(1 / _SPLINE_SD ** len(shape)))


_SPLINE_SD = 0.6926  # of a cubic B-spline with white coefficients, on average over places


def _spline_basis(side: int, feature: float, knots: int) -> NDArray[np.float32]:
    """(side, knots): the weight of every coefficient at every grid point."""
    u = np.abs(np.arange(side)[:, None] / feature + 1 - np.arange(knots)[None, :])
    near = 2 / 3 - u**2 + u**3 / 2
    far = np.clip(2 - u, 0, None) ** 3 / 6
    return np.where(u < 1, near, far).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Noise:
    """Smooth noise that can be asked for at any point, not only on the grid."""

    values: Field
    step_mm: float

    def at(self, points: Points) -> Field:
        """Values at points; beyond its box, around the origin, the noise is mirrored."""
        scale, middle = np.float32(1 / self.step_mm), np.float32((self.values.shape[0] - 1) / 2)
        places = np.stack([p * scale + middle for p in points])
        return np.asarray(
            ndimage.map_coordinates(self.values, places, order=1, mode="mirror"),
            dtype=np.float32,
        )


def noise_box(random: np.random.Generator, feature_mm: float, points: int = 64) -> Noise:
    """Noise over a cube of so many grid points a side, 0.4 `feature_mm` apart."""
    return Noise(smooth_noise(random, (points,) * 3, 2.5), feature_mm / 2.5)
