"""May this generator's images be used: they are no copies of training images, and they vary.

One copy more or less does not fail a generator, since copies are listed one by one and left out
of what is made with it; a habit of copying, or of repeating itself, does.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idhray.config import settings_dict
from idhray.errors import ConfigError, LeakageError, TableError
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
from idhray.fidelity.diversity import Agree, DiversityTest, diversity_test


@dataclass(frozen=True, kw_only=True)
class CopySettings:
    """What a copy is, and what fails a generator.

    Limits are ours, but for what says otherwise. Those of a copy were chosen on 786 real slices of
    62 patients and 879 H&E patches of 293 source tiles, at 64 px: of images of held-out patients
    none of 1134 was taken for a copy by pixels (at 128 px 1 of 120 slices), with margins of 1 up
    to four in a hundred; of shifted, mirrored, brightened and blurred copies all were found.
    """

    quantile: float = 0.01
    """Of the distances between real images and their nearest one of another patient."""
    pixel_margin: float = 0.9
    """An image nearer than this part of that distance is a copy, by pixels alone."""
    feature_margin: float = 0.9
    """The same of features, if pixels are nearer than that distance."""
    max_copy_share: float = 0.02
    """Copies among the generated images above which the generator fails."""
    min_c_t: float = -3.0
    """Below this C_T, and with a P over patients below `alpha`, the generator copies."""
    alpha: float = 0.01
    min_mean_distance: float = 0.7
    """Mean distance of generated over that of real images below which a generator is collapsed."""
    min_vendi: float = 0.5
    """The same of the Vendi score."""
    max_near_duplicates: float = 0.1
    """Share of near-duplicates of a collapsed one, above that of as many images of as few real
    patients: neighboring slices are near-duplicates by nature. Pixels must agree, too. Of 321 H&E
    patches of 107 source tiles one half against the other exceeded it in 1 of 40 halvings."""
    cells: int = 5
    """Of the C_T test, at most."""
    reference_images: int = 2000
    """Real images, at most, that say how near different patients are."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in (
            *("quantile", "pixel_margin", "feature_margin", "max_copy_share", "alpha"),
            *("min_mean_distance", "min_vendi", "max_near_duplicates"),
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        if not self.min_c_t <= 0:
            raise ConfigError(f"min_c_t must be 0 or less, got {self.min_c_t}")
        for name in ("cells", "reference_images"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more, got {getattr(self, name)}")


@dataclass(frozen=True)
class Gate:
    """The verdict on one generator and all it rests on."""

    passed: bool
    reasons: tuple[str, ...]
    """One sentence for each thing that failed."""
    notes: tuple[str, ...]
    """One sentence for each thing that could not be looked at."""
    figures: Mapping[str, Any]
    images: tuple[Mapping[str, Any], ...]
    """One row a generated image: `index`, `copy`, `by`, `nearest` training image, its `patient`,
    `feature_distance`, `correlation`, `ssim`."""
    settings: CopySettings
    copies: Copies

    def as_dict(self) -> dict[str, Any]:
        """All but the arrays, as plain JSON values."""
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
        generated: Some hundreds or more, untruncated, as they will be used.
        train: What it was trained on, with patients.
        held_out: Images of patients that it never saw, with patients; None where there are none.
        settings: Limits.
        symmetry: In which forms the generator was shown its images.

    Raises:
        TableError: sizes, channels or features differ, or fewer than two patients are known.
        LeakageError: a held-out patient is a training patient.
    """
    _check(train, held_out)
    notes: list[str] = []
    limits, real = _limits(train, held_out, settings, symmetry, notes)
    found = find_copies(generated, train, limits, symmetry)
    control = None
    if held_out is not None:
        some = _some(held_out, settings)
        control = find_copies(some, train, limits, symmetry, with_ssim=False)
    codes = np.unique(train.patients, return_inverse=True)[1].astype(np.int64)
    test, ratio = _against_held_out(generated, train, held_out, settings, notes)
    varied = diversity_test(
        generated.features,
        train.features,
        codes,
        limits.feature,
        seed=settings.seed,
        agree=(_agree(generated, limits, symmetry), _agree(train, limits, symmetry)),
    )
    reasons = [*_copying(found, test, settings), *_collapse(varied, settings)]
    figures = {
        "generated": len(generated),
        "train": len(train),
        "train_patients": len(np.unique(codes)),
        "held_out": 0 if held_out is None else len(held_out),
        "held_out_patients": 0 if held_out is None else len(np.unique(held_out.patients)),
        "copies": int(found.copy.sum()),
        "copy_share": found.share,
        "copy_share_of_held_out": None if control is None else control.share,
        "limits": dataclasses.asdict(limits),
        "different_patients": _quantiles(real),
        **_authenticity(generated, train, held_out, codes),
        "c_t": None if test is None else dataclasses.asdict(test),
        "distance_ratio": None if ratio is None else dataclasses.asdict(ratio),
        "diversity": {
            **dataclasses.asdict(varied),
            "mean_distance_ratio": varied.mean_distance_ratio,
            "vendi_ratio": varied.vendi_ratio,
        },
    }
    return Gate(
        passed=not reasons,
        reasons=tuple(reasons),
        notes=tuple(notes),
        figures=figures,
        images=tuple(_row(index, found, train) for index in range(len(generated))),
        settings=settings,
        copies=found,
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
    """Limits from training patients, so that held-out ones can test them; else from those."""
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


def _some(images: EmbeddedImages, settings: CopySettings) -> EmbeddedImages:
    if len(images) <= settings.reference_images:
        return images
    places = np.linspace(0, len(images) - 1, settings.reference_images).astype(np.int64)
    return images.subset(places)


def _against_held_out(
    generated: EmbeddedImages,
    train: EmbeddedImages,
    held_out: EmbeddedImages | None,
    settings: CopySettings,
    notes: list[str],
) -> tuple[CopyTest | None, DistanceRatio | None]:
    if held_out is None:
        notes.append("No held-out patients: no C_T test, no ratio of distances, no control.")
        return None, None
    mine = np.unique(train.patients, return_inverse=True)[1].astype(np.int64)
    theirs = np.unique(held_out.patients, return_inverse=True)[1].astype(np.int64)
    features = (generated.features, held_out.features, train.features)
    test = c_t_test(*features, theirs, cells=settings.cells, seed=settings.seed)
    if test is None:
        notes.append("Too few generated or held-out images (10 a cell) for the C_T test.")
    ratio = distance_ratio(
        generated.features,
        train.features,
        held_out.features,
        mine,
        theirs,
        seed=settings.seed,
    )
    return test, ratio


def _authenticity(
    generated: EmbeddedImages,
    train: EmbeddedImages,
    held_out: EmbeddedImages | None,
    codes: NDArray[np.int64],
) -> dict[str, float | None]:
    """As published and between patients; and the latter of held-out images, as a control."""
    several = len(np.unique(codes)) > 1
    given = generated.features, train.features
    control = several and held_out is not None
    return {
        "authenticity": authenticity(*given) if len(train) > 1 else None,
        "authenticity_patients": authenticity(*given, codes) if several else None,
        "authenticity_patients_of_held_out": (
            authenticity(held_out.features, train.features, codes)
            if control and held_out is not None
            else None
        ),
    }


def _agree(images: EmbeddedImages, limits: Limits, symmetry: Symmetry) -> Agree:
    """Whether pixels of two of these images agree, as they must where features call one a copy."""

    def agree(places: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
        pairs = similarity_of_pairs(images.images[places], images.index, others, symmetry)
        return pairs.distance < limits.pixel_confirms

    return agree


def _copying(found: Copies, test: CopyTest | None, settings: CopySettings) -> list[str]:
    reasons = []
    if found.share > settings.max_copy_share:
        reasons.append(
            f"{found.copy.sum()} of {len(found.copy)} generated images ({found.share:.1%}) are "
            f"copies of training images, above {settings.max_copy_share:.1%}."
        )
    if test and test.c_t < settings.min_c_t and test.p_patients < settings.alpha:
        reasons.append(
            f"Generated images lie nearer to training images than those of held-out patients do: "
            f"C_T {test.c_t:.1f}, P {test.p_patients:.1g} over patients."
        )
    return reasons


def _collapse(test: DiversityTest, settings: CopySettings) -> list[str]:
    reasons = []
    beside = f"that of {test.count} real images, below"
    if test.mean_distance_ratio < settings.min_mean_distance:
        reasons.append(
            f"The mean distance between generated images is {test.mean_distance_ratio:.2f} of "
            f"{beside} {settings.min_mean_distance}."
        )
    if test.vendi_ratio < settings.min_vendi:
        reasons.append(
            f"The Vendi score of the generated images is {test.vendi_ratio:.2f} of "
            f"{beside} {settings.min_vendi}."
        )
    natural = test.near_duplicates_of_patients
    if test.generated.near_duplicates - natural > settings.max_near_duplicates:
        reasons.append(
            f"{test.generated.near_duplicates:.1%} of generated images have a near-duplicate "
            f"among them, of as many real ones of few patients {natural:.1%}."
        )
    return reasons


def _quantiles(real: Apartness) -> dict[str, Any]:
    """How near different patients are: least, 1st and 5th percentile, median."""
    shares = (0, 0.01, 0.05, 0.5)
    return {
        "images": len(real.pixel),
        "pixel": np.quantile(real.pixel, shares).tolist(),
        "feature": np.quantile(real.feature, shares).tolist(),
    }


def _row(index: int, found: Copies, train: EmbeddedImages) -> dict[str, Any]:
    place = int(found.nearest[index])
    by = [n for n in ("pixels", "features") if getattr(found, f"by_{n}")[index]]
    return {
        "index": index,
        "copy": bool(found.copy[index]),
        "by": " and ".join(by),
        "nearest": train.id(place),
        "patient": str(train.patients[place]),
        "feature_distance": float(found.feature_distance[index]),
        "correlation": float(found.correlation[index]),
        "ssim": float(found.ssim[index]),
    }
