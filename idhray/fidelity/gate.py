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
from idhray.fidelity.arrays import Indices
from idhray.fidelity.copies.memorization import (
    CopyTest,
    DistanceRatio,
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
from idhray.fidelity.diversity import PixelsAgree, diversity_test
from idhray.fidelity.gate_figures import (
    authenticities,
    counts,
    distance_quantiles,
    diversity_figures,
    image_row,
    patient_codes,
)
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
        patient_codes(train),
        limits.feature,
        seed=settings.seed,
        pixels_agree=(
            _pixel_test(generated, limits, symmetry),
            _pixel_test(train, limits, symmetry),
        ),
    )
    reasons = [*copying_reasons(copies, test, settings), *collapse_reasons(diversity, settings)]
    figures = {
        **counts(generated, train, held_out),
        "copies": int(copies.copy.sum()),
        "copy_share": copies.share,
        "copy_share_of_held_out": None if control is None else control.share,
        "limits": dataclasses.asdict(limits),
        "different_patients": distance_quantiles(real),
        **authenticities(generated, train, held_out),
        "c_t": None if test is None else dataclasses.asdict(test),
        "distance_ratio": None if ratio is None else dataclasses.asdict(ratio),
        "diversity": diversity_figures(diversity),
    }
    return Gate(
        passed=not reasons,
        reasons=tuple(reasons),
        notes=tuple(notes),
        figures=figures,
        images=tuple(image_row(index, copies, train) for index in range(len(generated))),
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
    train_codes, held_out_codes = patient_codes(train), patient_codes(held_out)
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


def _pixel_test(images: EmbeddedImages, limits: Limits, symmetry: Symmetry) -> PixelsAgree:
    """Pixel test for pairs of these images, needed where features take one for a copy."""

    def pixels_agree(queries: Indices, references: Indices) -> NDArray[np.bool_]:
        pairs = similarity_of_pairs(images.images[queries], images.index, references, symmetry)
        return pairs.distance < limits.pixel_confirms

    return pixels_agree
