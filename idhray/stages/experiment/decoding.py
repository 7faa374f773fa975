"""Images of an experiment decoded and prepared on all CPUs of the cluster, part by part."""

from dataclasses import replace
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray

from idhray.classify.image_set import ImageSet, Places
from idhray.classify.preprocessing import placed_pixels, prepared
from idhray.classify.settings import ClassifierSettings
from idhray.stages.runtime.losses import RESTARTS, result_of
from idhray.stages.runtime.placement import placed

CHUNK = 512
"""Images of one Ray task, at least: a task reads whole parts. Fewer images are decoded here."""


def with_pixels(images: ImageSet, settings: ClassifierSettings) -> ImageSet:
    """An image set without pixels, with those that its settings prepare.

    Args:
        images: Images with their places, from `load_images` with `decode=False`.
        settings: Settings of the classifier.

    Raises:
        TableError: an image cannot be decoded.
    """
    assert images.places is not None
    groups = _groups(images.places)
    if len(groups) < 2:
        return replace(images, pixels=_prepared(images.places, settings))
    task: Any = ray.remote(num_cpus=1, max_retries=RESTARTS, **placed())(_prepared)
    running = [task.remote(images.places.take(rows), settings) for rows in groups]
    pixels: NDArray[np.uint8] | None = None
    for number, rows in enumerate(groups):
        chunk = result_of(running[number], "preparation of images")
        running[number] = None  # its result leaves the object store
        if pixels is None:
            pixels = np.empty((len(images), *chunk.shape[1:]), np.uint8)
        pixels[rows] = chunk
    assert pixels is not None
    return replace(images, pixels=pixels)


def _groups(places: Places) -> list[NDArray[np.intp]]:
    """Numbers of the images of each task: those of some parts, `CHUNK` or more."""
    order = np.argsort(places.part, kind="stable")
    starts = np.flatnonzero(np.diff(places.part[order])) + 1
    groups: list[NDArray[np.intp]] = []
    waiting: list[NDArray[np.intp]] = []
    for part in np.split(order, starts):
        waiting.append(part)
        if sum(map(len, waiting)) >= CHUNK:
            groups.append(np.concatenate(waiting))
            waiting = []
    return [*groups, np.concatenate(waiting)] if waiting else groups


def _prepared(places: Places, settings: ClassifierSettings) -> NDArray[np.uint8]:
    return placed_pixels(places, settings, lambda _, image: prepared(image, settings))
