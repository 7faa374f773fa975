"""Brain mask of a volume: from the manifest, from a stripped volume, or from a network.

The masks are returned as the tool made them; gate.py checks whether they are plausible.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from nibabel.affines import apply_affine
from nibabel.orientations import apply_orientation, io_orientation, ornt_transform

from idhray.errors import MriError
from idhray.mri.brain.command import command_mask
from idhray.mri.brain.deepbet import deepbet_mask
from idhray.mri.brain.hdbet import hdbet_mask
from idhray.mri.brain.settings import BrainSettings
from idhray.mri.mask import face_fractions, fill_holes, largest_component, most_frequent_value
from idhray.mri.volume import Volume, VolumeMask, canonical, mask_ml

SAME_GRID_MM = 0.1
MAX_LABELS = 16
"""Most values of a tumor mask; a scan has hundreds."""
STRIPPED_MIN_BACKGROUND = 0.3
"""Smallest fraction of background in a stripped volume; a tight box around a brain has more."""
STRIPPED_ML = (600.0, 2300.0)
"""Range of the foreground of a stripped volume. A head whose air is 0 has far more, unless much of
it is cut off."""
STRIPPED_MAX_FACE = 0.2
"""Largest fraction of any face of the volume that a stripped brain may cover. Scans often end just
below the vertex (0.08 in a TCGA patient); a head that continues beyond a face covers about 0.4."""


@dataclass(frozen=True, eq=False)
class BrainMask:
    """Brain mask, the method that made it, and notes on oddities."""

    mask: VolumeMask
    method: str
    """deepbet, hdbet, command, given (from the manifest), stripped (the volume was stripped) or
    none."""
    notes: tuple[str, ...] = ()


def extract_brain(
    volume: Volume, settings: BrainSettings, *, manifest_mask: Volume | None = None
) -> BrainMask:
    """Brain mask of a volume, on its grid.

    The source is the first available of: the mask named in the manifest, the foreground of a
    stripped volume, the result of `settings.method`.

    Raises:
        MriError: The mask of the manifest does not belong to the volume, the tool finds nothing, or
            its weights or device are missing.
    """
    if manifest_mask is not None:
        return _from_manifest(volume, manifest_mask)
    if settings.recognize_stripped and (mask := stripped_brain(volume)) is not None:
        return BrainMask(mask, "stripped", ("already skull-stripped: used unchanged",))
    if settings.method == "none":
        all_voxels = np.ones(volume.voxels.shape, dtype=np.bool_)
        return BrainMask(all_voxels, "none", ("no brain extraction, as set",))
    standard = canonical(volume)
    if settings.method == "command":
        return BrainMask(_as_in(volume, command_mask(standard, settings)), "command")
    device = _device(settings.device)
    with _torch_threads(settings.threads):
        if settings.method == "hdbet":
            mask = hdbet_mask(standard, settings, device)
        else:
            mask = deepbet_mask(standard, device)
    return BrainMask(_as_in(volume, mask), settings.method)


def stripped_brain(volume: Volume) -> VolumeMask | None:
    """Brain of a stripped volume, its holes filled; None if the volume is not stripped.

    A volume is stripped if a large part of it has exactly one value, and the largest component of
    the foreground has the size of a brain and does not continue beyond the volume.
    """
    foreground = volume.voxels != most_frequent_value(volume.voxels)
    if foreground.mean() > 1 - STRIPPED_MIN_BACKGROUND or not foreground.any():
        return None
    mask = fill_holes(largest_component(foreground)[0])
    low, high = STRIPPED_ML
    if not low <= mask_ml(mask, volume) <= high or max(face_fractions(mask)) > STRIPPED_MAX_FACE:
        return None
    return mask


def _from_manifest(volume: Volume, manifest_mask: Volume) -> BrainMask:
    """Mask of a file on the grid of the volume; its axes may be in another order."""
    mask = _on_grid(volume, manifest_mask)
    values = np.unique(manifest_mask.voxels)
    if values.size > 2 and not (values.min() >= 0 and values.max() <= 1):
        raise MriError(
            f"{volume.name}: the mask {manifest_mask.name} has {values.size} values up to "
            f"{values.max():g}; give a mask of 0 and 1, not labels or a scan"
        )
    notes = (
        (f"probabilities of {manifest_mask.name}: above 0.5 is brain",) if values.size > 2 else ()
    )
    limit = 0.5 if values.size > 2 else (float(values.min()) + float(values.max())) / 2
    return BrainMask(_as_in(volume, mask.voxels > limit), "given", notes)


def tumor_mask(volume: Volume, labels: Volume) -> VolumeMask:
    """Tumor mask of a file on the grid of the volume: all labels above 0, as in BraTS.

    Raises:
        MriError: The file lies on another grid, has no tumor, or is a scan instead of labels.
    """
    mask, values = _on_grid(volume, labels), np.unique(labels.voxels)
    if values.min() < 0 or values.size > MAX_LABELS:
        raise MriError(
            f"{volume.name}: the tumor mask {labels.name} has {values.size} values from "
            f"{values.min():g}; give labels, 0 outside the tumor"
        )
    if values.max() <= 0:
        raise MriError(f"{volume.name}: the tumor mask {labels.name} is empty; leave it out")
    return _as_in(volume, mask.voxels > 0)


def _on_grid(volume: Volume, file: Volume) -> Volume:
    """Mask of a file in RAS order; refused unless it lies on the grid of the volume."""
    standard, mask = canonical(volume), canonical(file)
    if mask.voxels.shape == standard.voxels.shape:
        corners = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(mask.voxels.shape) - 1)
        shift = apply_affine(mask.affine, corners) - apply_affine(standard.affine, corners)
        if float(np.linalg.norm(shift, axis=1).max()) <= SAME_GRID_MM:
            return mask
    shape = " x ".join(map(str, file.voxels.shape))
    raise MriError(
        f"{volume.name}: the mask {file.name} ({shape}) lies on another grid; use one made on "
        "this volume"
    )


def _as_in(volume: Volume, mask: VolumeMask) -> VolumeMask:
    """Mask of `canonical(volume)` reordered as a mask of `volume`."""
    back = ornt_transform([[0, 1], [1, 1], [2, 1]], io_orientation(volume.affine))
    return np.ascontiguousarray(apply_orientation(mask, back))


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:  # no such device, or PyTorch built without
        text = " ".join(str(error).split())[:100]
        raise MriError(f"device {name} for brain extraction is not available ({text}); use cpu")
    return name


@contextlib.contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    """Set the number of PyTorch's threads within a `with` block; 0 changes nothing."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
