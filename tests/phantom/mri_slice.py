"""Slices of made-up scans, by the true motion: for tests that must not depend on idhray.mri."""

from dataclasses import replace

import nibabel as nib
import numpy as np
from scipy import ndimage

from idhray.chance import generator
from idhray.phantom.mri.frequencies import COUNTS
from idhray.phantom.mri.patients import MriPhantomSettings, mri_patients

QUICK = MriPhantomSettings(tumours=4, normals=1, skull=False, t1ce_mm=3, flair_mm=3)


def patients_of_all_kinds(count, seed, settings=QUICK):
    """Patients whose features are drawn evenly over all levels, rather than by class."""
    found = []
    for patient in mri_patients(replace(settings, tumours=count, normals=0), seed):
        random = generator(seed, "all kinds", patient.patient)
        drawn = {name: str(random.choice(list(levels))) for name, levels in COUNTS.items()}
        if drawn["enhancement"] == "rim":
            drawn["necrosis"] = "yes"
        found.append(replace(patient, **drawn))
    return found


def upright(volume):
    """A volume as (voxels, affine) in RAS order."""
    image = nib.as_closest_canonical(nib.Nifti1Image(volume.voxels, volume.affine))
    return np.asarray(image.dataobj).astype(np.float32), image.affine


def flair_on_t1ce(made, shape, affine, motion=None):
    """FLAIR resampled onto a grid of CE-T1w, by the true motion if no other is given."""
    motion = made.flair_from_t1ce if motion is None else motion
    index = np.linalg.inv(made.flair.affine) @ motion @ affine
    flair = made.flair.voxels.astype(np.float32)
    return ndimage.affine_transform(flair, index, output_shape=shape, order=1)


def tumor_slice(made, size_px=64, fov_mm=240.0):
    """The axial slice with most tumor as a reader sees it: front up, left side on the right."""
    t1ce, affine = upright(made.t1ce)
    tumor, _ = upright(made.tumour_mask)
    brain = upright(made.brain_mask)[0] > 0
    channels = [t1ce, flair_on_t1ce(made, t1ce.shape, affine)]
    k = int(tumor.sum(axis=(0, 1)).argmax())
    planes = [_windowed(channel, brain)[:, :, k] for channel in channels]
    step = fov_mm / size_px / made_mm(affine)
    middle = [np.flatnonzero(brain.any(axis=axes))[[0, -1]].mean() for axes in ((1, 2), (0, 2))]
    offset = [place - step * (size_px - 1) / 2 for place in middle]
    shown = [
        ndimage.affine_transform(plane, [step, step], offset, (size_px, size_px), order=1)
        for plane in planes
    ]
    image = np.dstack([*shown, np.zeros_like(shown[0])]).transpose(1, 0, 2)[::-1, ::-1]
    return np.ascontiguousarray(np.rint(image * 255).astype(np.uint8))


def made_mm(affine):
    """Side of a voxel."""
    return float(np.linalg.norm(affine[:3, 0]))


def _windowed(values, brain):
    low, high = np.percentile(values[brain], [0.5, 99.5])
    return np.clip((values - low) / (high - low), 0, 1) * brain
