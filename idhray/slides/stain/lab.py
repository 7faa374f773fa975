"""Reinhard's color transfer: means and standard deviations in the color space l, alpha, beta.

The space is Ruderman's (1998), computed from logarithms of the responses of the eye's three kinds
of cones: l is brightness, alpha is yellow-blue and beta is red-green, nearly uncorrelated. The
logarithms are natural, the channels range from 0 to 255.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from idhray.errors import SlideError
from idhray.images import RGB, Plane

# Source: Reinhard et al. 2001, equations 4 (RGB to cones), 6 (cones to l, alpha, beta).
_CONES = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
_LAB = np.diag([3**-0.5, 6**-0.5, 2**-0.5]) @ np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]])


class LabStatistics(NamedTuple):
    """Means and standard deviations of l, alpha and beta, (3,) each."""

    mean: NDArray[np.float64]
    sd: NDArray[np.float64]


def lab_statistics(pixels: NDArray[np.uint8]) -> LabStatistics:
    """Statistics of pixels (n, 3).

    Raises:
        SlideError: l, alpha or beta is the same in all pixels.
    """
    cones = _CONES @ np.maximum(pixels.T, 1)
    lab = _LAB @ np.log(cones)
    statistics = LabStatistics(lab.mean(axis=1), lab.std(axis=1))
    if not statistics.sd.min() > 1e-3:
        raise SlideError("all pixels have the same color")
    return statistics


def transfer(image: RGB, source: LabStatistics, target: LabStatistics) -> RGB:
    """Image with the target's means and deviations instead of the source's.

    Source: Reinhard et al. 2001, equations 10 and 11.
    """
    # On logarithms of cone responses the transfer is one matrix and one offset.
    scale = np.linalg.inv(_LAB) @ np.diag(target.sd / source.sd) @ _LAB
    shift = np.linalg.inv(_LAB) @ (target.mean - target.sd / source.sd * source.mean)
    planes = np.moveaxis(image, -1, 0).astype(np.float32, order="C")
    np.maximum(planes, 1, out=planes)
    logs = _mixed([np.log(cone) for cone in _mixed(planes, _CONES)], scale)
    cones = [np.exp(logs[c] + np.float32(shift[c])) for c in range(3)]
    changed = np.empty_like(image)
    for c, plane in enumerate(_mixed(cones, np.linalg.inv(_CONES))):
        changed[..., c] = np.rint(np.clip(plane, 0, 255))
    return changed


def _mixed(planes: Iterable[Plane], matrix: NDArray[np.float64]) -> list[Plane]:
    """Three planes times a (3, 3) matrix; each pixel's result does not depend on the shape."""
    a, b, c = planes
    rows = matrix.astype(np.float32)
    return [row[0] * a + row[1] * b + row[2] * c for row in rows]
