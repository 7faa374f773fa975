"""Choice of one image for each place, where a series UID covers several volumes.

Scanners and archives put reconstructions, echoes and time points under one SeriesInstanceUID.
Copies of the same pixels are dropped; others are told apart by what their headers state.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from idhray.errors import MriError
from idhray.mri.dicom.slices import DicomImage
from idhray.mri.nifti.settings import ReaderSettings

SAME_PLACE_MM = 0.1

Pixels = Callable[[DicomImage], bytes]


def places(series: Sequence[DicomImage]) -> list[list[DicomImage]]:
    """Images of each place, along the normal of the slices."""
    normal = np.cross(series[0].axes[:3], series[0].axes[3:])
    groups: list[list[DicomImage]] = []
    last = -np.inf
    for image in sorted(series, key=lambda image: float(image.position @ normal)):
        height = float(image.position @ normal)
        if height - last >= SAME_PLACE_MM:
            groups.append([])
            last = height
        groups[-1].append(image)
    return groups


def one_per_place(
    label: str,
    series: Sequence[DicomImage],
    settings: ReaderSettings,
    notes: list[str],
    *,
    pixels: Pixels,
) -> list[DicomImage]:
    """One image for each place.

    Args:
        label: Name of the series in messages.
        series: Images with positions and one orientation.
        settings: `dicom_keep` tells which of several images to use.
        notes: List to which the number of dropped images is appended.
        pixels: Function that reads the pixels of an image.

    Raises:
        MriError: Several different images lie at one place; the message names what differs.
    """
    if len(places(series)) == len(series):
        return list(series)
    # Empty slices of two reconstructions are equal, too, so copies are dropped only where they are
    # the whole difference.
    for candidates in (series, _chosen(series, settings)):
        if not candidates:
            continue
        distinct = [
            image for group in places(candidates) for image in _without_copies(group, pixels)
        ]
        if len(places(distinct)) == len(distinct):
            if others := len(series) - len(candidates):
                notes.append(f"{others} images are not as dicom_keep says: ignored")
            if copies := len(candidates) - len(distinct):
                notes.append(f"{copies} images are copies of others under other UIDs: ignored")
            return distinct
    raise MriError(
        f"{label}: {len(series)} slices at {len(places(series))} places: several echoes, time "
        f"points or reconstructions under one UID; {_advice(_chosen(series, settings) or series)}"
    )


def _without_copies(group: Sequence[DicomImage], pixels: Pixels) -> list[DicomImage]:
    """Images of one place with different pixels, the first of each."""
    if len(group) == 1:
        return list(group)
    by_pixels: dict[bytes, DicomImage] = {}
    for image in group:
        by_pixels.setdefault(pixels(image), image)
    return list(by_pixels.values())


def _chosen(series: Sequence[DicomImage], settings: ReaderSettings) -> list[DicomImage]:
    """Images that fit all choices of the settings."""
    choices = [text.split("=", 1) for text in settings.dicom_keep]
    return [image for image in series if all(_fits(image, *choice) for choice in choices)]


def _fits(image: DicomImage, key: str, value: str) -> bool:
    """True if a detail of the image is the value, or has it among its parts."""
    text = image.details.get(key, "")
    return value == text or (key == "ImageType" and value in text.split("\\"))


def _advice(series: Sequence[DicomImage]) -> str:
    """Differences between the images, and the setting that chooses."""
    keys = sorted({key for image in series for key in image.details})
    counts = {key: Counter(image.details.get(key, "") for image in series) for key in keys}
    at_a_place = max(len(group) for group in places(series))
    telling = {key: count for key, count in counts.items() if 1 < len(count) <= at_a_place}
    if not telling:
        return "their headers tell no difference; export one of them"
    lines = [
        f"{key} is {' or '.join(f'{value or None} ({n})' for value, n in sorted(count.items()))}"
        for key, count in telling.items()
    ]
    key, count = next(iter(telling.items()))
    return (
        f"{'; '.join(lines)}: choose with dicom_keep, such as --reader.dicom-keep "
        f"{key}={_example(key, sorted(count))}"
    )


def _example(key: str, values: Sequence[str]) -> str:
    """A value that chooses one of them; of ImageType, the part that the others lack."""
    if key != "ImageType":
        return values[0]
    others = {part for value in values[1:] for part in value.split("\\")}
    return next((part for part in values[0].split("\\") if part not in others), values[0])
