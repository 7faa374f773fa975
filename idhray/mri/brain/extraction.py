"""Which voxels of a volume are brain: from a given mask, a stripped volume, or a network.

What comes back is what the tool says; whether it can be a brain is asked in gate.py.
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
from idhray.mri.mask import commonest, face_fractions, filled, largest_component
from idhray.mri.volume import Mask, Volume, canonical, mask_ml

SAME_GRID_MM = 0.1
MAX_LABELS = 16
"""Of a tumor mask; a scan has hundreds of values."""
STRIPPED_MIN_BACKGROUND = 0.3
"""Part of the volume; a box drawn tightly around a brain still has more."""
STRIPPED_ML = (600.0, 2300.0)
"""Of what is not background. A head whose air is 0 has far more, unless much of it is cut off."""
STRIPPED_MAX_FACE = 0.2
"""Part of any face of the volume that a stripped brain may cover. Scans often end just below the
vertex (0.08 in a patient of TCGA); a head that goes on beyond a face covers some 0.4 of it."""


@dataclass(frozen=True, eq=False)
class BrainMask:
    """A mask, where it is from, and what was remarkable."""

    mask: Mask
    method: str
    """deepbet, hdbet, command, given (of the manifest), stripped (the volume's own) or none."""
    notes: tuple[str, ...] = ()


def brain_mask(
    volume: Volume, settings: BrainSettings, *, given: Volume | None = None
) -> BrainMask:
    """The brain of a volume, on its own grid.

    The first of: the `given` mask; what is left of a volume that is stripped already; what
    `settings.method` finds.

    Raises:
        MriError: the given mask does not belong to the volume, the tool finds nothing, or its
            weights or device are missing.
    """
    if given is not None:
        return _given(volume, given)
    if settings.recognize_stripped and (mask := stripped_brain(volume)) is not None:
        return BrainMask(mask, "stripped", ("already without its skull: taken as it is",))
    if settings.method == "none":
        everything = np.ones(volume.voxels.shape, dtype=np.bool_)
        return BrainMask(everything, "none", ("no brain extraction, as the settings say",))
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


def stripped_brain(volume: Volume) -> Mask | None:
    """The brain of a volume that is stripped already, holes filled; None if it is not.

    It is stripped if a large part of it has exactly one value, and the largest piece of the rest
    has the size of a brain and does not go on beyond the volume.
    """
    rest = volume.voxels != commonest(volume.voxels)
    if rest.mean() > 1 - STRIPPED_MIN_BACKGROUND or not rest.any():
        return None
    mask = filled(largest_component(rest)[0])
    low, high = STRIPPED_ML
    if not low <= mask_ml(mask, volume) <= high or max(face_fractions(mask)) > STRIPPED_MAX_FACE:
        return None
    return mask


def _given(volume: Volume, given: Volume) -> BrainMask:
    """The mask of a file, on the grid of the volume (axes may be in another order)."""
    mask = _on_grid(volume, given)
    values = np.unique(given.voxels)
    if values.size > 2 and not (values.min() >= 0 and values.max() <= 1):
        raise MriError(
            f"{volume.name}: the mask {given.name} has {values.size} values up to "
            f"{values.max():g}; give a mask of 0 and 1, not labels or a scan"
        )
    notes = (f"probabilities of {given.name}: above 0.5 is brain",) if values.size > 2 else ()
    limit = 0.5 if values.size > 2 else (float(values.min()) + float(values.max())) / 2
    return BrainMask(_as_in(volume, mask.voxels > limit), "given", notes)


def tumour_mask(volume: Volume, given: Volume) -> Mask:
    """All voxels above 0 of a file on the grid of the volume: any label is tumor, as in BraTS.

    Raises:
        MriError: the file lies on another grid, has no tumor, or is a scan rather than labels.
    """
    mask, values = _on_grid(volume, given), np.unique(given.voxels)
    if values.min() < 0 or values.size > MAX_LABELS:
        raise MriError(
            f"{volume.name}: the tumor mask {given.name} has {values.size} values from "
            f"{values.min():g}; give labels, 0 where there is no tumor"
        )
    if values.max() <= 0:
        raise MriError(f"{volume.name}: the tumor mask {given.name} marks nothing; leave it out")
    return _as_in(volume, mask.voxels > 0)


def _on_grid(volume: Volume, given: Volume) -> Volume:
    """A given mask in RAS order, if it lies on the grid of the volume (axes in any order)."""
    standard, mask = canonical(volume), canonical(given)
    if mask.voxels.shape == standard.voxels.shape:
        corners = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(mask.voxels.shape) - 1)
        moved = apply_affine(mask.affine, corners) - apply_affine(standard.affine, corners)
        if float(np.linalg.norm(moved, axis=1).max()) <= SAME_GRID_MM:
            return mask
    found = " x ".join(map(str, given.voxels.shape))
    raise MriError(
        f"{volume.name}: the mask {given.name} ({found}) lies on another grid; give one made on "
        "this very volume"
    )


def _as_in(volume: Volume, mask: Mask) -> Mask:
    """A mask of `canonical(volume)` as one of `volume`."""
    back = ornt_transform([[0, 1], [1, 1], [2, 1]], io_orientation(volume.affine))
    return np.ascontiguousarray(apply_orientation(mask, back))


def _device(wanted: str) -> str:
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=wanted)
    except (RuntimeError, AssertionError) as error:  # no such device, or PyTorch built without
        text = " ".join(str(error).split())[:100]
        raise MriError(f"device {wanted} for brain extraction is not there ({text}); use cpu")
    return wanted


@contextlib.contextmanager
def _torch_threads(wanted: int) -> Iterator[None]:
    """PyTorch with so many threads, for a while; 0 changes nothing."""
    before = torch.get_num_threads()
    torch.set_num_threads(wanted or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
