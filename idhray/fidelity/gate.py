"""Gate of a generator: its images may be used if they are no copies and if they vary.

Single copies do not fail a generator, because they are listed one by one and left out of what is
made with it. A habit of copying, or of repeating itself, does.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idhray.config import settings_dict
from idhray.errors import LeakageError, TableError
from idhray.fidelity.arrays import Indices, PatientCodes
from idhray.fidelity.copies.memorization import (
    CopyTest,
    DistanceRatio,
    authenticity,
    c_t_test,
    distance_ratio,
)
from idhray.fidelity.copies.search import (
    Apartness,
    Copies,
    EmbeddedImages,
    Limits,
    apartness,
    copy_limits,
    find_copies,
)
from idhray.fidelity.copies.similarity import Symmetry, similarity_of_pairs
from idhray.fidelity.diversity import DiversityTest, PixelsAgree, diversity_test
from idhray.fidelity.gate_reasons import collapse_reasons, copying_reasons
from idhray.fidelity.gate_settings import CopySettings


@dataclass(frozen=True)
class Gate:
    """Verdict on one generator, with all its evidence."""

    passed: bool
    reasons: tuple[str, ...]
    """One sentence for each failure."""
    notes: tuple[str, ...]
    """One sentence for each check that could not be made."""
    figures: Mapping[str, Any]
    images: tuple[Mapping[str, Any], ...]
    """One row per generated image: `index`, `copy`, `by`, `nearest` training image, its `patient`,
    `feature_distance`, `correlation`, `ssim`."""
    settings: CopySettings
    copies: Copies

    def as_dict(self) -> dict[str, Any]:
        """Everything but the arrays, as plain JSON values."""
        return {
            "passed": self.passed,
            "reasons": list(self.reasons),
            "notes": list(self.notes),
            "figures": dict(self.figures),
            "images": [dict(row) for row in self.images],
            "settings": settings_dict(self.settings),
        }


def copies_gate(
    generated: EmbeddedImages,
    train: EmbeddedImages,
    held_out: EmbeddedImages | None,
    settings: CopySettings,
    symmetry: Symmetry = "none",
) -> Gate:
    """Judge a generator by a sample of its images.

    Args:
        generated: Some hundreds of images or more, untruncated, as they will be used.
        train: Training images of the generator, with patients.
        held_out: Images of patients that the generator never saw, with patients; None if there are
            none.
        settings: Limits.
        symmetry: Forms in which the generator was shown its images.

    Raises:
        TableError: Sizes, channels or features differ, or there are fewer than two patients.
        LeakageError: A held-out patient is a training patient.
    """
    _check(train, held_out)
    notes: list[str] = []
    limits, real = _limits(train, held_out, settings, symmetry, notes)
    copies = find_copies(generated, train, limits, symmetry)
    control = None
    if held_out is not None:
        sample = _spread_sample(held_out, settings.reference_images)
        control = find_copies(sample, train, limits, symmetry, with_ssim=False)
    test, ratio = _held_out_tests(generated, train, held_out, settings, notes)
    diversity = diversity_test(
        generated.features,
        train.features,
        _patient_codes(train),
        limits.feature,
        seed=settings.seed,
        pixels_agree=(
            _pixel_test(generated, limits, symmetry),
            _pixel_test(train, limits, symmetry),
        ),
    )
    reasons = [*copying_reasons(copies, test, settings), *collapse_reasons(diversity, settings)]
    figures = {
        **_counts(generated, train, held_out),
        "copies": int(copies.copy.sum()),
        "copy_share": copies.share,
        "copy_share_of_held_out": None if control is None else control.share,
        "limits": dataclasses.asdict(limits),
        "different_patients": _quantiles(real),
        **_authenticity(generated, train, held_out),
        "c_t": None if test is None else dataclasses.asdict(test),
        "distance_ratio": None if ratio is None else dataclasses.asdict(ratio),
        "diversity": _diversity_figures(diversity),
    }
    return Gate(
        passed=not reasons,
        reasons=tuple(reasons),
        notes=tuple(notes),
        figures=figures,
        images=tuple(_row(index, copies, train) for index in range(len(generated))),
        settings=settings,
        copies=copies,
    )


def _check(train: EmbeddedImages, held_out: EmbeddedImages | None) -> None:
    for name, images in (("training", train), ("held-out", held_out)):
        if images is not None and not images.patients:
            raise TableError(f"the copies gate needs the patients of the {name} images")
    if held_out is None:
        return
    if held_out.features.shape[1] != train.features.shape[1]:
        raise TableError("held-out and training images have features of two extractors; use one")
    if shared := sorted(set(held_out.patients) & set(train.patients)):
        raise LeakageError(f"{len(shared)} held-out patients were trained on, e.g. {shared[0]}")


def _patient_codes(images: EmbeddedImages) -> PatientCodes:
    return np.unique(images.patients, return_inverse=True)[1].astype(np.int64)


def _limits(
    train: EmbeddedImages,
    held_out: EmbeddedImages | None,
    settings: CopySettings,
    symmetry: Symmetry,
    notes: list[str],
) -> tuple[Limits, Apartness]:
    """Limits from training patients, so that held-out patients can test them, else from the latter.

    Notes are appended to `notes`.
    """
    count, seed = settings.reference_images, settings.seed
    real = apartness(train, train, symmetry, count, seed)
    if real is None and held_out is not None:
        notes.append("One training patient: limits of copies are from held-out patients.")
        real = apartness(held_out, train, symmetry, count, seed)
    if real is None:
        raise TableError(
            "all training images are of one patient and none are held out: how near images of "
            "different patients are is unknown; give images of a second patient"
        )
    if len(real.pixel) * settings.quantile < 1:
        notes.append(
            f"Only {len(real.pixel)} real images say how near different patients are: the limit "
            "of a copy is their least distance."
        )
    limits = copy_limits(
        real,
        quantile=settings.quantile,
        pixel_margin=settings.pixel_margin,
        feature_margin=settings.feature_margin,
    )
    return limits, real


def _spread_sample(images: EmbeddedImages, max_images: int) -> EmbeddedImages:
    """At most `max_images` images, evenly spread."""
    if len(images) <= max_images:
        return images
    return images.subset(np.linspace(0, len(images) - 1, max_images).astype(np.int64))


def _held_out_tests(
    generated: EmbeddedImages,
    train: EmbeddedImages,
    held_out: EmbeddedImages | None,
    settings: CopySettings,
    notes: list[str],
) -> tuple[CopyTest | None, DistanceRatio | None]:
    """C_T test and distance ratio, as far as there are images; notes are appended to `notes`."""
    if held_out is None:
        notes.append("No held-out patients: no C_T test, no ratio of distances, no control.")
        return None, None
    train_codes, held_out_codes = _patient_codes(train), _patient_codes(held_out)
    features = (generated.features, held_out.features, train.features)
    test = c_t_test(*features, held_out_codes, cells=settings.cells, seed=settings.seed)
    if test is None:
        notes.append("Too few generated or held-out images (10 a cell) for the C_T test.")
    ratio = distance_ratio(
        generated.features,
        train.features,
        held_out.features,
        train_codes,
        held_out_codes,
        seed=settings.seed,
    )
    return test, ratio


def _authenticity(
    generated: EmbeddedImages, train: EmbeddedImages, held_out: EmbeddedImages | None
) -> dict[str, float | None]:
    """Authenticity as published and between patients; the latter also of held-out images."""
    codes = _patient_codes(train)
    several_patients = len(np.unique(codes)) > 1
    features = generated.features, train.features
    held_out_authenticity = None
    if several_patients and held_out is not None:
        held_out_authenticity = authenticity(held_out.features, train.features, codes)
    return {
        "authenticity": authenticity(*features) if len(train) > 1 else None,
        "authenticity_patients": authenticity(*features, codes) if several_patients else None,
        "authenticity_patients_of_held_out": held_out_authenticity,
    }


def _pixel_test(images: EmbeddedImages, limits: Limits, symmetry: Symmetry) -> PixelsAgree:
    """Pixel test for pairs of these images, needed where features take one for a copy."""

    def pixels_agree(queries: Indices, references: Indices) -> NDArray[np.bool_]:
        pairs = similarity_of_pairs(images.images[queries], images.index, references, symmetry)
        return pairs.distance < limits.pixel_confirms

    return pixels_agree


def _counts(
    generated: EmbeddedImages, train: EmbeddedImages, held_out: EmbeddedImages | None
) -> dict[str, int]:
    return {
        "generated": len(generated),
        "train": len(train),
        "train_patients": len(set(train.patients)),
        "held_out": 0 if held_out is None else len(held_out),
        "held_out_patients": 0 if held_out is None else len(set(held_out.patients)),
    }


def _diversity_figures(test: DiversityTest) -> dict[str, Any]:
    return {
        **dataclasses.asdict(test),
        "mean_distance_ratio": test.mean_distance_ratio,
        "vendi_ratio": test.vendi_ratio,
    }


def _quantiles(real: Apartness) -> dict[str, Any]:
    """Distances between different patients: minimum, 1st and 5th percentile, median."""
    shares = (0, 0.01, 0.05, 0.5)
    return {
        "images": len(real.pixel),
        "pixel": np.quantile(real.pixel, shares).tolist(),
        "feature": np.quantile(real.feature, shares).tolist(),
    }


def _row(index: int, copies: Copies, train: EmbeddedImages) -> dict[str, Any]:
    neighbor = int(copies.nearest[index])
    criteria = [name for name in ("pixels", "features") if getattr(copies, f"by_{name}")[index]]
    return {
        "index": index,
        "copy": bool(copies.copy[index]),
        "by": " and ".join(criteria),
        "nearest": train.id(neighbor),
        "patient": str(train.patients[neighbor]),
        "feature_distance": float(copies.feature_distance[index]),
        "correlation": float(copies.correlation[index]),
        "ssim": float(copies.ssim[index]),
    }
