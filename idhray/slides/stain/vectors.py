"""Colors of a slide's two stains, estimated from its pixels.

Beer-Lambert: the optical density of a pixel (natural logarithm of glass over pixel, per channel) is
the sum of the stains' vectors, each times the concentration of the stain. Densities are (n, 3) or
planes (3, ...), concentrations (2, ...), vectors (2, 3) of unit length: hematoxylin, then eosin.
"""

import numpy as np
from numpy.typing import NDArray

from idhray.errors import SlideError
from idhray.images import RGB, Plane

Vectors = NDArray[np.float64]  # (2, 3)

GLASS = 240.0
"""Gray value without stain. Source: `Io` of the implementation named in stain/target.py."""
DARKEST = 8
"""Smallest gray value that is used; darker channels show noise and clipping."""
MIN_DENSITY = 0.15
"""Smallest mean density; paler pixels have no reliable hue. Source: Macenko et al. 2009, beta."""
ANGLE_PERCENTILE = 1.0
"""Percentile of the extreme hues. Source: Macenko et al. 2009, alpha."""
SPARSITY = 0.02
"""Weight of the sparsity penalty. Source: the code of Vahadane et al.
(CodeRelease_ColorNormalization, Demo_colornorm.m)."""
_STEPS = 1000
_TOLERANCE = 1e-6  # largest change of a vector's component in a step after convergence


def density_planes(image: RGB) -> tuple[Plane, Plane, Plane]:
    """Optical densities of red, green and blue; pixels brighter than glass have density 0.

    The logarithm, float32 and vectorized, takes a third of the time of a lookup table.
    """
    planes = np.moveaxis(image, -1, 0).astype(np.float32, order="C")
    np.clip(planes, DARKEST, GLASS, out=planes)
    np.log(planes, out=planes)
    np.subtract(np.float32(np.log(GLASS)), planes, out=planes)
    return planes[0], planes[1], planes[2]


def stained_densities(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Densities (n, 3) of the pixels (m, 3) that are neither too pale nor too dark for a hue."""
    usable = pixels[pixels.min(axis=1) > DARKEST]
    densities = np.stack(density_planes(usable), axis=-1).astype(np.float64)
    return np.asarray(densities[densities.mean(axis=1) >= MIN_DENSITY])


def concentrations(
    red: Plane, green: Plane, blue: Plane, vectors: Vectors, sparsity: float = 0.0
) -> tuple[Plane, Plane]:
    """Concentrations of the two stains, 0 or more, that explain densities best (least squares).

    With `sparsity`, its product with the sum of both concentrations is added to half the squared
    error (lasso). For two unit vectors the solution has a closed form: a stain that would be
    negative is 0, and the other stain takes over the part that both vectors have in common.
    """
    overlap = np.float32(vectors[0] @ vectors[1])
    unmix = np.linalg.pinv(vectors.T)
    shrink = np.float32(sparsity / (1 + float(overlap)))
    first, second = (
        np.float32(u[0]) * red + np.float32(u[1]) * green + np.float32(u[2]) * blue - shrink
        for u in unmix
    )
    return (
        np.maximum(first + overlap * np.minimum(second, 0), 0),
        np.maximum(second + overlap * np.minimum(first, 0), 0),
    )


def macenko_vectors(densities: NDArray[np.float64]) -> Vectors:
    """Two extreme hues in the plane through 0 that fits the densities best.

    Raises:
        SlideError: the densities span no plane.

    Source: Macenko et al. 2009 (ISBI), the algorithm of section 2: the plane by singular value
    decomposition, the hues as percentiles 1 and 99 of the angle in it.
    """
    _, strength, axes = np.linalg.svd(densities.T @ densities)
    if not strength[1] > 1e-9 * strength[0]:
        raise SlideError("all pixels have the same hue")
    plane = axes[:2] * np.sign(axes[:2].sum(axis=1))[:, None]
    along, across = plane @ densities.T
    angles = np.percentile(np.arctan2(across, along), [ANGLE_PERCENTILE, 100 - ANGLE_PERCENTILE])
    return _hematoxylin_first(np.stack([np.cos(angles), np.sin(angles)], axis=1) @ plane)


def vahadane_vectors(densities: NDArray[np.float64], start: Vectors) -> Vectors:
    """Dictionary of two stains whose sparse concentrations explain the densities best.

    Concentrations and vectors are updated in turn, as in sparse non-negative matrix factorization.
    Both steps are exact here, so that the error never grows.

    Args:
        densities: Densities (n, 3).
        start: Vectors at which the search begins; they are fixed, so that the result is not random.

    Raises:
        SlideError: one stain alone explains all pixels, or the search does not converge.

    Source: Vahadane et al. 2016 (IEEE TMI 35:1962); the update of the vectors is
    algorithm 2 of Mairal et al. 2010 (JMLR 11:19).
    """
    red, green, blue = densities.T.astype(np.float32)
    vectors = start / np.linalg.norm(start, axis=1, keepdims=True)
    for _ in range(_STEPS):
        amounts = np.stack(concentrations(red, green, blue, vectors, SPARSITY)).astype(np.float64)
        gram, target = amounts @ amounts.T, amounts @ densities
        if not gram.diagonal().min() > 0:
            raise SlideError("one stain alone explains all pixels")
        previous = vectors.copy()
        for k in range(2):
            vector = vectors[k] + (target[k] - gram[k] @ vectors) / gram[k, k]
            vectors[k] = _unit(np.maximum(vector, 0))
        if np.abs(vectors - previous).max() < _TOLERANCE:
            return _hematoxylin_first(vectors)
    raise SlideError(f"the stain vectors did not settle in {_STEPS} steps")


def _hematoxylin_first(vectors: Vectors) -> Vectors:
    """Unit vectors without negative components; the first, hematoxylin, absorbs more red."""
    first, second = (_unit(np.maximum(vector, 0)) for vector in vectors)
    return np.stack([first, second] if first[0] > second[0] else [second, first])


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(vector)
    if not length > 0:
        raise SlideError("a stain vector has no length")
    return np.asarray(vector / length)
