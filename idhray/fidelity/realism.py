"""Realism of generated images by plain statistics, without a network and its weights.

Random features can flatter: images without a nucleus may lie as near to real ones as real ones lie
to each other. Four measures that need no weights are set beside the same between real images of
different patients (the floor): how well a classifier tells both apart, and the distances of power
spectra, local contrast and nucleus scale. A verdict in words joins them.

Letters: N images, S statistics, B frequency bands.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from idhray.fidelity.arrays import ImageArray
from idhray.fidelity.halves import Draw, draws_of
from idhray.fidelity.settings import FidelitySettings

RealismVerdict = Literal["like real", "differs from real", "far from real", "not judged"]
ImageStatistics = NDArray[np.float64]  # (N, S)

BANDS = 10
"""Frequency bands of the power spectrum, equally wide on a logarithmic scale."""
SIGMAS = (1.0, 2.0, 4.0, 8.0)
"""Scales of the Laplacian of Gaussian in pixels: the radius of a nucleus is about 1.4 of them."""
BLOCK_PX = 8
"""Side of the blocks whose SD is the local contrast."""
LUMA = np.array((0.299, 0.587, 0.114))
MOST_IMAGES = 300
"""Images on either side of one comparison, at most."""
CROSS_FOLDS = 5
FAR_AUC, LIKE_AUC = 0.9, 0.65
"""Cross-validated AUC from which images are far from real, and up to which they are like real."""
LEAST_EXCESS = 0.1
"""Least difference from the largest AUC between real patients in images that are far from real."""
FAR_RATIO, LIKE_RATIO = 4.0, 2.0
"""The same for a distance, as a multiple of the largest one between real patients."""
DISTANCES = ("power spectrum", "local contrast", "nucleus scale")


@dataclass(frozen=True, kw_only=True)
class RealismMeasure:
    """One measure, beside the same between real images of different patients."""

    name: str
    value: float
    floor: float
    """Mean over the draws; NaN with images of one patient."""
    floor_max: float

    @property
    def ratio(self) -> float:
        """The value as a multiple of the largest floor; NaN without a floor."""
        return self.value / self.floor_max if self.floor_max > 0 else math.nan


@dataclass(frozen=True, kw_only=True)
class Realism:
    """All measures of a set of generated images, and the verdict."""

    verdict: RealismVerdict
    sentence: str
    measures: tuple[RealismMeasure, ...]
    images: int
    """Images on either side of a comparison."""

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values; a number that does not exist is null."""
        rows = [
            {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in m.items()}
            for m in map(asdict, self.measures)
        ]
        return {
            "verdict": self.verdict,
            "sentence": self.sentence,
            "measures": rows,
            "images": self.images,
        }


def realism(
    generated: ImageArray,
    real: ImageArray,
    patients: Sequence[str],
    settings: FidelitySettings,
) -> Realism:
    """Realism of generated images beside the floor between real patients.

    Args:
        generated: (N, height, width, C) uint8.
        real: (M, height, width, C) uint8.
        patients: Patient of each real image.
        settings: Number of draws, and their seed.
    """
    few = FidelitySettings(draws=settings.draws, max_images=MOST_IMAGES, seed=settings.seed)
    draws = draws_of(patients, len(generated), few)
    of_generated, of_real = image_statistics(generated), image_statistics(real)
    names = np.asarray(patients, dtype=str)
    values = [_compared(of_real, names, of_generated, draw) for draw in draws]
    floors = [_floor(of_real, names, draw) for draw in draws if draw.floor is not None]
    measures = tuple(
        RealismMeasure(
            name=name,
            value=float(np.mean([value[name] for value in values])),
            floor=float(np.mean([floor[name] for floor in floors])) if floors else math.nan,
            floor_max=max((floor[name] for floor in floors), default=math.nan),
        )
        for name in ("told apart (AUC)", *DISTANCES)
    )
    verdict = realism_verdict(measures)
    return Realism(
        verdict=verdict,
        sentence=_sentence(verdict, measures),
        measures=measures,
        images=len(draws[0].reference),
    )


def realism_verdict(measures: Sequence[RealismMeasure]) -> RealismVerdict:
    """Verdict in words; the worst measure decides.

    Args:
        measures: The AUC first, then the distances.
    """
    area, floor = measures[0].value, measures[0].floor_max
    ratios = [measure.ratio for measure in measures[1:]]
    if any(math.isnan(number) for number in (area, floor, *ratios)):
        return "not judged"
    # Few patients are told apart from other patients as well: the floor counts.
    if area >= max(FAR_AUC, floor + LEAST_EXCESS) or max(ratios) >= FAR_RATIO:
        return "far from real"
    if area <= max(LIKE_AUC, floor) and max(ratios) <= LIKE_RATIO:
        return "like real"
    return "differs from real"


def _sentence(verdict: RealismVerdict, measures: Sequence[RealismMeasure]) -> str:
    area = measures[0]
    text = (
        f"{verdict[0].upper()}{verdict[1:]}: plain image statistics tell them from real images "
        f"with an AUC of {area.value:.2f} (real from real: {area.floor:.2f})"
    )
    if verdict == "not judged":
        return f"{text}; images of one patient have no floor."
    worst = max(measures[1:], key=lambda measure: measure.ratio)
    return (
        f"{text}; the largest distance is that of {worst.name}, {worst.ratio:.1f} times the "
        "largest between real patients."
    )


def image_statistics(images: ImageArray) -> ImageStatistics:
    """Statistics of each image, (N, S): spectrum, contrast, scales, colors; see `PARTS`."""
    return np.stack([_statistics(image) for image in images])


def _statistics(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    pixels = image.astype(np.float64)
    shade = pixels @ LUMA if image.shape[-1] == 3 else pixels[..., 0]
    contrast = _block_deviations(shade)
    quantiles = np.quantile(contrast, (0.1, 0.5, 0.9))
    energies = [
        np.square(sigma**2 * ndimage.gaussian_laplace(shade, sigma)).mean() for sigma in SIGMAS
    ]
    scale = float(np.average(np.log2(SIGMAS), weights=np.array(energies) + 1e-9))
    colors = [*pixels.mean(axis=(0, 1)), *pixels.std(axis=(0, 1))]
    return np.array(
        [
            *_log_spectrum(shade),
            *np.log1p(quantiles),
            contrast.std(),
            *np.log10(np.array(energies) + 1e-3),
            scale,
            *colors,
        ]
    )


PARTS: Mapping[str, slice] = {
    "power spectrum": slice(0, BANDS),
    "local contrast": slice(BANDS, BANDS + 4),
    "nucleus scale": slice(BANDS + 4, BANDS + 5 + len(SIGMAS)),
}
"""Columns of the statistics behind each distance."""


def _log_spectrum(shade: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of the mean power in each frequency band, (B,)."""
    height, width = shade.shape
    window = np.outer(np.hanning(height), np.hanning(width))  # the borders are no edges
    power = np.square(np.abs(np.fft.rfft2((shade - shade.mean()) * window)))
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    radius = np.hypot(fy, fx)
    edges = np.geomspace(1.0 / min(height, width), 0.5, BANDS + 1)
    band = np.digitize(radius, edges) - 1
    means = [power[band == k].mean() if (band == k).any() else 0.0 for k in range(BANDS)]
    return np.asarray(np.log10(np.array(means) + 1.0))


def _block_deviations(shade: NDArray[np.float64]) -> NDArray[np.float64]:
    """SD of the pixels of each block."""
    side = min(BLOCK_PX, *shade.shape)
    rows, columns = (length // side for length in shade.shape)
    blocks = shade[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return np.asarray(blocks.std(axis=(1, 3)).ravel())


def _compared(
    real: ImageStatistics, names: NDArray[np.str_], generated: ImageStatistics, draw: Draw
) -> dict[str, float]:
    groups = np.array([f"generated {k}" for k in range(len(draw.generated))])
    return _measures(real[draw.reference], names[draw.reference], generated[draw.generated], groups)


def _floor(real: ImageStatistics, names: NDArray[np.str_], draw: Draw) -> dict[str, float]:
    assert draw.floor is not None
    return _measures(
        real[draw.reference], names[draw.reference], real[draw.floor], names[draw.floor]
    )


def _measures(
    first: ImageStatistics,
    first_groups: NDArray[np.str_],
    second: ImageStatistics,
    second_groups: NDArray[np.str_],
) -> dict[str, float]:
    """The AUC by which both sets are told apart, and their distances."""
    spread = first.std(axis=0) + 1e-6
    distances = {
        name: float(
            np.mean(
                [
                    stats.wasserstein_distance(first[:, k], second[:, k]) / spread[k]
                    for k in range(part.start, part.stop)
                ]
            )
        )
        for name, part in PARTS.items()
    }
    return {"told apart (AUC)": _told_apart(first, first_groups, second, second_groups)} | distances


def _told_apart(
    first: ImageStatistics,
    first_groups: NDArray[np.str_],
    second: ImageStatistics,
    second_groups: NDArray[np.str_],
) -> float:
    """Cross-validated AUC of a logistic regression; images of a patient stay in one fold.

    Below one half it is one half: both sets are then not told apart.
    """
    x = np.concatenate([first, second])
    y = np.concatenate([np.zeros(len(first), int), np.ones(len(second), int)])
    groups = np.concatenate([first_groups, second_groups])
    folds = min(CROSS_FOLDS, len(np.unique(first_groups)), len(np.unique(second_groups)))
    if folds < 2:
        return math.nan
    scores, tested = np.zeros(len(x)), np.zeros(len(x), bool)
    for train, test in GroupKFold(folds).split(x, y, groups):
        if len(np.unique(y[train])) < 2:
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
        scores[test] = model.fit(x[train], y[train]).decision_function(x[test])
        tested[test] = True
    if len(np.unique(y[tested])) < 2:
        return math.nan
    return max(0.5, float(roc_auc_score(y[tested], scores[tested])))
