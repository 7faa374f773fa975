"""Scans of one phantom patient: CE-T1w and FLAIR on different grids, tumor and brain masks."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from idhray.chance import generator
from idhray.phantom.mri.brain import brain_look, brain_outline, paint_brain
from idhray.phantom.mri.canvas import Canvas
from idhray.phantom.mri.fields import HeadMap, HeadPoints, noise_box, smooth_noise
from idhray.phantom.mri.head import paint_head, paint_sinuses
from idhray.phantom.mri.lesion import Lesion, displaced, draw_lesion, paint_lesion
from idhray.phantom.mri.patients import MriPatient, MriPhantomSettings
from idhray.phantom.mri.scan import (
    FOV_MM,
    HeadTransform,
    PhantomVolume,
    motion_about,
    random_motion,
    sample_head,
    scan_grid,
    with_shading_and_noise,
)

ORIENTATIONS = ("LAS", "RAS", "LPS")
TILT_DEGREES = 4.0  # largest tilt of the head in the scanner, and of each grid
OFF_CENTER_MM = 8.0


@dataclass(frozen=True, eq=False)
class MriPhantom:
    """Scans, masks and truth of one phantom patient."""

    t1ce: PhantomVolume
    """CE-T1w, int16."""
    flair: PhantomVolume
    """FLAIR, int16, on a grid of its own."""
    tumour_mask: PhantomVolume
    """Tumor mask, uint8 on the grid of the CE-T1w, 1 if half or more of the voxel is tumor or
    edema."""
    brain_mask: PhantomVolume
    """Brain mask, uint8 on the grid of the CE-T1w: brain with the fluid in sulci and ventricles."""
    flair_from_t1ce: HeadTransform
    """Position of a point of the head by the CE-T1w header -> position by the FLAIR header, mm."""
    truth: dict[str, Any]
    """Row of MRI_TRUTH: the patient, the tumor, the motion between the scans."""


@dataclass(frozen=True, eq=False)
class _Head:
    """Maps of the head on its grid, before any scan."""

    affine: HeadTransform
    canvas: Canvas
    brain: HeadMap
    """Depth in the brain, mm."""
    tumor: HeadMap
    """Share of the tumor in every voxel."""


def render_mri(patient: MriPatient, settings: MriPhantomSettings, seed: int) -> MriPhantom:
    """Make the scans of a patient; the same arguments give the same voxels.

    The class acts through the patient's features only.
    """
    random = generator(seed, "mri head", patient.patient)
    lesion = draw_lesion(random, patient) if patient.has_tumor else None
    head = _make_head(random, patient, lesion, settings)
    random = generator(seed, "mri scan", patient.patient)
    pose = random_motion(random, TILT_DEGREES, OFF_CENTER_MM)
    motion = random_motion(random, settings.motion_degrees, settings.motion_mm)
    flair_from_t1ce = motion_about(motion, pose[:3, 3])
    t1ce_mm = (settings.t1ce_mm,) * 3
    shape, affine = _random_grid(random, t1ce_mm)
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
    shape, affine = _random_grid(random, flair_mm)
    flair_pose = flair_from_t1ce @ pose
    flair = _scan(
        random,
        head,
        head.canvas.flair,
        pose=flair_pose,
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
    outer = brain_outline(points)
    canvas = Canvas.blank(outer.cerebrum.shape)
    if settings.skull:
        paint_head(canvas, outer, points, texture, voxel_mm)
    anatomy = points if lesion is None else displaced(points, lesion)
    paint_brain(canvas, outer, anatomy, look, voxel_mm)
    tumor = np.zeros_like(outer.cerebrum)
    if lesion is not None:
        tumor = paint_lesion(canvas, points, lesion, outer.brain, random=random, voxel_mm=voxel_mm)
    if settings.skull:
        paint_sinuses(canvas, outer, points, voxel_mm)
    return _Head(affine, canvas, outer.brain, tumor)


def _head_points(random: np.random.Generator, voxel_mm: float) -> tuple[HeadPoints, HeadTransform]:
    """Head coordinates over a grid, for a head of random size and slight irregularity."""
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


def _random_grid(
    random: np.random.Generator, spacing_mm: tuple[float, float, float]
) -> tuple[tuple[int, ...], HeadTransform]:
    orientation = ORIENTATIONS[int(random.integers(len(ORIENTATIONS)))]
    return scan_grid(
        orientation, spacing_mm, random_motion(random, TILT_DEGREES, OFF_CENTER_MM / 2)
    )


def _scan(
    random: np.random.Generator,
    head: _Head,
    image: HeadMap,
    *,
    pose: HeadTransform,
    shape: tuple[int, ...],
    affine: HeadTransform,
    settings: MriPhantomSettings,
) -> PhantomVolume:
    placed = pose @ head.affine
    lengths = np.linalg.norm(affine[:3, :3], axis=0).tolist()
    signal = sample_head(image, placed, shape, affine, thin_mm=settings.t1ce_mm)
    gain = np.float32(random.uniform(3, 12))  # scanner gain: brightness has no unit
    signal = gain * with_shading_and_noise(
        random, signal, noise=settings.noise, voxel_mm=tuple(lengths)
    )
    if not settings.skull:
        brain = np.clip(head.brain / np.float32(settings.t1ce_mm) + np.float32(0.5), 0, 1)
        signal *= sample_head(brain, placed, shape, affine, thin_mm=settings.t1ce_mm) >= 0.5
    return PhantomVolume(np.rint(np.clip(signal, 0, 32767)).astype(np.int16), affine)


def _mask(
    share: HeadMap,
    head_affine: HeadTransform,
    pose: HeadTransform,
    shape: tuple[int, ...],
    affine: HeadTransform,
) -> PhantomVolume:
    scan = sample_head(share, pose @ head_affine, shape, affine, thin_mm=np.inf)
    return PhantomVolume((scan >= 0.5).astype(np.uint8), affine)


def _truth(
    patient: MriPatient,
    lesion: Lesion | None,
    masks: list[PhantomVolume],
    flair_from_t1ce: HeadTransform,
    motion: HeadTransform,
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
