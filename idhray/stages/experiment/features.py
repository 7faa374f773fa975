"""Features of the images of an experiment: read from FEATURES tables, or made on the cluster."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
import torch
from numpy.typing import NDArray

from idhray.chance import seed_for
from idhray.classify.bags import Bags, bag_means
from idhray.classify.encoders import encode_images, encoder_name, encoder_network
from idhray.classify.frozen import choose_penalty
from idhray.classify.image_set import ImageSet
from idhray.classify.settings import InputChannels
from idhray.experiment.images import FoldImages
from idhray.stages.experiment.feature_tables import FeatureTables, joined_features
from idhray.stages.runtime.losses import RESTARTS, result_of
from idhray.stages.runtime.placement import placed
from idhray.stages.runtime.session import wait_for_room

CHUNK = 256
"""Images of one Ray task."""
EncodedImages = NDArray[np.float32]  # (images, D)


@dataclass(frozen=True, kw_only=True)
class EncodedHere:
    """Encoder that turns the images into features in this run."""

    encoder: str
    """Encoder, NAME or NAME:FILE."""
    channels: InputChannels
    gpus: float
    """GPUs of each task."""


@dataclass(frozen=True, kw_only=True)
class ExperimentFeatures:
    """Features of all images, and the penalties of each fold."""

    encoder: str
    """Name of the encoder."""
    real: EncodedImages
    synthetic: Mapping[tuple[str, ...], EncodedImages]
    penalties: Mapping[int, float]
    """Penalty of each fold for the linear probe, chosen on its real training images."""
    bag_penalties: Mapping[int, float]
    """Penalty of each fold for the means of patients."""


def experiment_features(
    real: ImageSet,
    synthetic: Mapping[tuple[str, ...], ImageSet],
    folds: Mapping[int, FoldImages],
    *,
    source: EncodedHere | FeatureTables,
    seed: int,
) -> ExperimentFeatures:
    """Features of all images, and the penalties of each fold.

    Args:
        real: All images of the cohort.
        synthetic: Images of each pair of generators.
        folds: Rows of each fold.
        source: FEATURES tables, or the encoder that makes the features now.
        seed: Seed of the experiment.
    """
    if isinstance(source, FeatureTables):
        sets = {"the images": real, **{" + ".join(pair): s for pair, s in synthetic.items()}}
        joined = joined_features(source, sets)
        features = joined["the images"]
        of_pairs = {pair: joined[" + ".join(pair)] for pair in synthetic}
        name = str(source.record["encoder"])
    else:
        arguments = (source.encoder, source.channels, source.gpus)
        features, name = encoded(real, *arguments), encoder_name(source.encoder)
        of_pairs = {pair: encoded(images, *arguments) for pair, images in synthetic.items()}
    penalties, bag_penalties = {}, {}
    for number, fold in folds.items():
        rows = np.concatenate(fold.train)
        labels, patients = real.labels[rows], real.patients[rows]
        penalty_seed = seed_for(seed, "experiment", "penalty", number)
        penalties[number] = choose_penalty(features[rows], labels, patients, seed=penalty_seed)
        bags = Bags(patients, labels, labels[:0], (len(fold.train[0]), len(fold.train[1])), 0)
        bag_penalties[number] = choose_penalty(
            bag_means(bags, features[rows], features[:0]),
            bags.bag_labels,
            np.array(bags.names),
            seed=penalty_seed,
        )
    return ExperimentFeatures(
        encoder=name,
        real=features,
        synthetic=of_pairs,
        penalties=penalties,
        bag_penalties=bag_penalties,
    )


def encoded(images: ImageSet, encoder: str, channels: InputChannels, gpus: float) -> EncodedImages:
    """Features of a set, (N, D) float32, each chunk in a Ray task."""
    wait_for_room(cpus=1, gpus=gpus)
    shared = ray.put(images)
    task: Any = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=RESTARTS, **placed())(
        _encode_chunk
    )
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
