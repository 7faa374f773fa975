"""Features of the images of an experiment by a frozen encoder, made once on the cluster."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
import torch
from numpy.typing import NDArray

from idhray.chance import seed_for
from idhray.classify.encoders import encode_images, encoder_network
from idhray.classify.frozen import choose_penalty
from idhray.classify.image_set import ImageSet
from idhray.classify.settings import InputChannels
from idhray.experiment.images import FoldImages
from idhray.stages.runtime.losses import RESTARTS, result_of

CHUNK = 256
"""Images of one Ray task."""
EncodedImages = NDArray[np.float32]  # (images, D)


@dataclass(frozen=True, kw_only=True)
class ExperimentFeatures:
    """Features of all images, and the penalty of each fold."""

    encoder: str
    real: EncodedImages
    synthetic: Mapping[tuple[str, ...], EncodedImages]
    penalties: Mapping[int, float]
    """Penalty of each fold, chosen on its real training images."""


def experiment_features(
    real: ImageSet,
    synthetic: Mapping[tuple[str, ...], ImageSet],
    folds: Mapping[int, FoldImages],
    *,
    encoder: str,
    channels: InputChannels,
    gpus: float,
    seed: int,
) -> ExperimentFeatures:
    """Encode all images and choose the penalty of each fold.

    Args:
        real: All images of the cohort.
        synthetic: Images of each pair of generators.
        folds: Rows of each fold.
        encoder: Name of the frozen encoder.
        channels: Channels of the images.
        gpus: GPUs of each task.
        seed: Seed of the experiment.
    """
    features = encoded(real, encoder, channels, gpus)
    penalties = {}
    for number, fold in folds.items():
        rows = np.concatenate(fold.train)
        penalties[number] = choose_penalty(
            features[rows],
            real.labels[rows],
            real.patients[rows],
            seed=seed_for(seed, "experiment", "penalty", number),
        )
    return ExperimentFeatures(
        encoder=encoder,
        real=features,
        synthetic={
            pair: encoded(images, encoder, channels, gpus) for pair, images in synthetic.items()
        },
        penalties=penalties,
    )


def encoded(images: ImageSet, encoder: str, channels: InputChannels, gpus: float) -> EncodedImages:
    """Features of a set, (N, D) float32, each chunk in a Ray task."""
    shared = ray.put(images)
    task: Any = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=RESTARTS)(_encode_chunk)
    chunks = [
        task.remote(shared, start, min(start + CHUNK, len(images)), encoder, channels)
        for start in range(0, len(images), CHUNK)
    ]
    return np.concatenate([result_of(chunk, "features of images") for chunk in chunks])


def _encode_chunk(
    images: ImageSet, start: int, stop: int, encoder: str, channels: InputChannels
) -> EncodedImages:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = encoder_network(encoder, channels)
    return encode_images(images.view(np.arange(start, stop)), network, device=device)
