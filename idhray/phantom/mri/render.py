"""One made-up patient's scans: CE-T1w and FLAIR on grids of their own, tumor and brain masks."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from idhray.chance import generator
from idhray.phantom.mri.brain import brain_look, outline, paint_brain
from idhray.phantom.mri.canvas import Canvas
from idhray.phantom.mri.fields import Field, Points, noise_box, smooth_noise
from idhray.phantom.mri.head import paint_head, paint_sinuses
from idhray.phantom.mri.lesion import Lesion, draw_lesion, paint_lesion, pushed
from idhray.phantom.mri.patients import MriPatient, MriPhantomSettings
from idhray.phantom.mri.scan import (
    FOV_MM,
    Matrix,
    Volume,
    about,
    grid,
    random_rigid,
    sampled,
    scanned,
)

ORIENTATIONS = ("LAS", "RAS", "LPS")
TILT_DEGREES = 4.0  # of the head in the scanner, and of each grid
OFF_CENTER_MM = 8.0


@dataclass(frozen=True, eq=False)
class MriPhantom:
    """What `render_mri` gives."""

    t1ce: Volume
    """int16."""
    flair: Volume
    """int16; its grid is its own."""
    tumour_mask: Volume
    """uint8 on the grid of the CE-T1w, 1 where half or more of the voxel is tumor or edema."""
    brain_mask: Volume
    """uint8 on the grid of the CE-T1w: brain with the fluid in its sulci and ventricles."""
    flair_from_t1ce: Matrix
    """Where headers say that a point of the head is on CE-T1w -> where they say so on FLAIR, mm."""
    truth: dict[str, Any]
    """One row: the patient, the tumor, the motion between the scans."""


@dataclass(frozen=True, eq=False)
class _Head:
    """Maps over the head on a grid of its own, before any scan."""

    affine: Matrix
    canvas: Canvas
    brain: Field
    """Depth, mm."""
    tumor: Field
    """Share of every voxel."""


def render_mri(patient: MriPatient, settings: MriPhantomSettings, seed: int) -> MriPhantom:
    """Both scans of `patient`; the same arguments give the same voxels, whatever came before.

    The class enters through the patient's features alone.
    """
    random = generator(seed, "mri head", patient.patient)
    lesion = draw_lesion(random, patient) if patient.has_tumor else None
    head = _make_head(random, patient, lesion, settings)
    random = generator(seed, "mri scan", patient.patient)
    pose = random_rigid(random, TILT_DEGREES, OFF_CENTER_MM)
    motion = random_rigid(random, settings.motion_degrees, settings.motion_mm)
    flair_from_t1ce = about(motion, pose[:3, 3])
    t1ce_mm = (settings.t1ce_mm,) * 3
    shape, affine = _grid(random, t1ce_mm)
    t1ce = _scan(
        random,
        head,
        head.canvas.t1ce,
        pose=pose,
        shape=shape,
        affine=affine,
        settings=settings,
    )
    masks = [
        _mask(values, head.affine, pose, shape, affine)
        for values in (head.tumor, np.clip(head.brain / settings.t1ce_mm + 0.5, 0, 1))
    ]
    flair_mm = (settings.flair_mm, settings.flair_mm, settings.flair_slice_mm)
    shape, affine = _grid(random, flair_mm)
    moved = flair_from_t1ce @ pose
    flair = _scan(
        random,
        head,
        head.canvas.flair,
        pose=moved,
        shape=shape,
        affine=affine,
        settings=settings,
    )
    return MriPhantom(
        t1ce=t1ce,
        flair=flair,
        tumour_mask=masks[0],
        brain_mask=masks[1],
        flair_from_t1ce=flair_from_t1ce,
        truth=_truth(patient, lesion, masks, flair_from_t1ce, motion),
    )


def _make_head(
    random: np.random.Generator,
    patient: MriPatient,
    lesion: Lesion | None,
    settings: MriPhantomSettings,
) -> _Head:
    voxel_mm = settings.t1ce_mm
    points, affine = _head_points(random, voxel_mm)
    look = brain_look(random, patient.age)
    texture = noise_box(random, 5)
    outer = outline(points)
    canvas = Canvas.blank(outer.cerebrum.shape)
    if settings.skull:
        paint_head(canvas, outer, points, texture, voxel_mm)
    anatomy = points if lesion is None else pushed(points, lesion)
    paint_brain(canvas, outer, anatomy, look, voxel_mm)
    tumor = np.zeros_like(outer.cerebrum)
    if lesion is not None:
        tumor = paint_lesion(canvas, points, lesion, outer.brain, random=random, voxel_mm=voxel_mm)
    if settings.skull:
        paint_sinuses(canvas, outer, points, voxel_mm)
    return _Head(affine, canvas, outer.brain, tumor)


def _head_points(random: np.random.Generator, voxel_mm: float) -> tuple[Points, Matrix]:
    """Head coordinates over a grid, of a head that is a little larger, smaller and uneven."""
    shape = tuple(round(side / voxel_mm) + 1 for side in FOV_MM)
    affine = np.diag([voxel_mm, voxel_mm, voxel_mm, 1.0])
    affine[:3, 3] = -voxel_mm * (np.array(shape) - 1) / 2
    scales = random.uniform(0.92, 1.02, 3)
    axes = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij", sparse=True)
    x, y, z = (
        ((axis * voxel_mm + affine[i, 3]) / scales[i]).astype(np.float32)
        + np.float32(1.6) * smooth_noise(random, shape, 28 / voxel_mm)
        for i, axis in enumerate(axes)
    )
    return (x, y, z), affine


def _grid(
    random: np.random.Generator, spacing_mm: tuple[float, float, float]
) -> tuple[tuple[int, ...], Matrix]:
    orientation = ORIENTATIONS[int(random.integers(len(ORIENTATIONS)))]
    return grid(orientation, spacing_mm, random_rigid(random, TILT_DEGREES, OFF_CENTER_MM / 2))


def _scan(
    random: np.random.Generator,
    head: _Head,
    image: Field,
    *,
    pose: Matrix,
    shape: tuple[int, ...],
    affine: Matrix,
    settings: MriPhantomSettings,
) -> Volume:
    placed = pose @ head.affine
    lengths = np.linalg.norm(affine[:3, :3], axis=0).tolist()
    seen = sampled(image, placed, shape, affine, thin_mm=settings.t1ce_mm)
    gain = np.float32(random.uniform(3, 12))  # of the scanner: brightness has no unit
    seen = gain * scanned(random, seen, noise=settings.noise, voxel_mm=tuple(lengths))
    if not settings.skull:
        brain = np.clip(head.brain / np.float32(settings.t1ce_mm) + np.float32(0.5), 0, 1)
        seen *= sampled(brain, placed, shape, affine, thin_mm=settings.t1ce_mm) >= 0.5
    return Volume(np.rint(np.clip(seen, 0, 32767)).astype(np.int16), affine)


def _mask(
    share: Field, head_affine: Matrix, pose: Matrix, shape: tuple[int, ...], affine: Matrix
) -> Volume:
    seen = sampled(share, pose @ head_affine, shape, affine, thin_mm=np.inf)
    return Volume((seen >= 0.5).astype(np.uint8), affine)


def _truth(
    patient: MriPatient,
    lesion: Lesion | None,
    masks: list[Volume],
    flair_from_t1ce: Matrix,
    motion: Matrix,
) -> dict[str, Any]:
    tumor, brain = masks
    voxel_ml = abs(float(np.linalg.det(tumor.affine[:3, :3]))) / 1000
    cosine = np.clip((np.trace(motion[:3, :3]) - 1) / 2, -1, 1)
    return {
        **asdict(patient),
        "core_mm": lesion.core_mm if lesion else None,
        "tumour_ml": float(tumor.voxels.sum()) * voxel_ml,
        "brain_ml": float(brain.voxels.sum()) * voxel_ml,
        "motion_mm": float(np.linalg.norm(motion[:3, 3])),
        "motion_degrees": float(np.degrees(np.arccos(cosine))),
        "flair_from_t1ce": flair_from_t1ce.ravel().tolist(),
    }
