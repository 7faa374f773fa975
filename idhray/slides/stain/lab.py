"""Reinhard's color transfer: means and standard deviations in the color space l, alpha, beta.

That space is Ruderman's (1998): logarithms of the responses of the eye's three kinds of cones, of
which l is the brightness, alpha yellow-blue and beta red-green, nearly uncorrelated. Natural
logarithms, channels of 0 to 255.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from idhray.errors import SlideError
from idhray.images import RGB

Plane = NDArray[np.float32]  # (height, width)

# Source: Reinhard et al. 2001, equations 4 (RGB to cones), 6 (cones to l, alpha, beta).
_CONES = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
_LAB = np.diag([3**-0.5, 6**-0.5, 2**-0.5]) @ np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]])


class LabStatistics(NamedTuple):
    """Means and standard deviations of l, alpha and beta, (3,) each."""

    mean: NDArray[np.float64]
    sd: NDArray[np.float64]


def lab_statistics(pixels: NDArray[np.uint8]) -> LabStatistics:
    """Of pixels (n, 3).

    Raises:
        SlideError: a channel of l, alpha, beta is the same everywhere.
    """
    cones = _CONES @ np.maximum(pixels.T, 1)
    lab = _LAB @ np.log(cones)
    found = LabStatistics(lab.mean(axis=1), lab.std(axis=1))
    if not found.sd.min() > 1e-3:
        raise SlideError("all pixels have the same color")
    return found


def transfer(image: RGB, source: LabStatistics, target: LabStatistics) -> RGB:
    """The image with the target's means and deviations in place of the source's.

    Source: Reinhard et al. 2001, equations 10 and 11.
    """
    # In logarithms of cones the whole transfer is one matrix and one offset.
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
    """Three planes times a (3, 3) matrix, pixel by pixel alike whatever the planes' shape."""
    a, b, c = planes
    rows = matrix.astype(np.float32)
    return [row[0] * a + row[1] * b + row[2] * c for row in rows]
