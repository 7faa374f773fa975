"""Figures of the copies gate, and its row of each generated image."""

import dataclasses
from typing import Any

import numpy as np

from idhray.fidelity.arrays import PatientCodes
from idhray.fidelity.copies.memorization import authenticity
from idhray.fidelity.copies.search import Apartness, Copies, EmbeddedImages
from idhray.fidelity.diversity import DiversityTest


def patient_codes(images: EmbeddedImages) -> PatientCodes:
    """(N,), the patient of each image as a number."""
    return np.unique(images.patients, return_inverse=True)[1].astype(np.int64)


def authenticities(
    generated: EmbeddedImages, train: EmbeddedImages, held_out: EmbeddedImages | None
) -> dict[str, float | None]:
    """Authenticity as published and between patients; the latter also of held-out images."""
    codes = patient_codes(train)
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


def counts(
    generated: EmbeddedImages, train: EmbeddedImages, held_out: EmbeddedImages | None
) -> dict[str, int]:
    """Numbers of images and patients."""
    return {
        "generated": len(generated),
        "train": len(train),
        "train_patients": len(set(train.patients)),
        "held_out": 0 if held_out is None else len(held_out),
        "held_out_patients": 0 if held_out is None else len(set(held_out.patients)),
    }


def diversity_figures(test: DiversityTest) -> dict[str, Any]:
    """Fields of the test and its ratios."""
    return {
        **dataclasses.asdict(test),
        "mean_distance_ratio": test.mean_distance_ratio,
        "vendi_ratio": test.vendi_ratio,
    }


def distance_quantiles(real: Apartness) -> dict[str, Any]:
    """Distances between different patients: minimum, 1st and 5th percentile, median."""
    shares = (0, 0.01, 0.05, 0.5)
    return {
        "images": len(real.pixel),
        "pixel": np.quantile(real.pixel, shares).tolist(),
        "feature": np.quantile(real.feature, shares).tolist(),
    }


def image_row(index: int, copies: Copies, train: EmbeddedImages) -> dict[str, Any]:
    """Row of one generated image; see `Gate.images`."""
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
