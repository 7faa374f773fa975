"""How far from the truth is a registration? Simulated scans of one brain, whose motion is known.

    python benchmarks/mri_truth.py --template FOLDER [--draws 8] [--steps 4 2]

FOLDER holds mni_icbm152_{t1,gm,wm}_tal_nlin_sym_09a_converted.nii.gz, the template of the MNI as
nilearn packs it (nilearn/datasets/data). CE-T1w is its T1 with a ring of contrast, FLAIR is made of
its tissue maps, with a bright lesion; both are scanned on tilted grids of their own, in slices of
5.5 mm (thick) or 1 and 4 mm (thin), with shading, noise, and brain masks whose edges err by 1.5 mm
each in its own way. Between the two the head moves by up to 10 degrees and 10 mm.
"""

import json
import time
from pathlib import Path

import nibabel
import numpy as np
import tyro
from numpy.typing import NDArray
from scipy import ndimage

from idhray.chance import generator
from idhray.mri.register import register
from idhray.mri.reslice import Grid, resliced
from idhray.mri.settings import SliceSettings
from idhray.mri.transform import Affine, displacements_mm, rigid_transform, transform_points
from idhray.mri.volume import Volume, VolumeMask, Voxels, mask_points_mm

CENTER = np.array([0.0, -17.0, 20.0])
LESION = np.array([30.0, 20.0, 25.0])
SCANS = {
    "thick": (((256, 224, 28), (0.9, 0.9, 5.5)), ((208, 256, 28), (0.9, 0.9, 5.5))),
    "thin": (((176, 224, 160), (1.0, 1.0, 1.0)), ((256, 256, 38), (0.94, 0.94, 4.0))),
}


def main(template: Path, draws: int = 8, steps: tuple[float, ...] = (4.0, 2.0)) -> None:
    """Print one JSON line for thick and one for thin slices."""
    settings = SliceSettings(registration_steps_mm=steps)
    t1ce, flair, brain = head(template)
    points = mask_points_mm(brain.voxels > 0, brain)
    for kind, (first, second) in SCANS.items():
        errors, spent = [], []
        for draw in range(draws):
            chance = generator(0, "truth", kind, draw)
            motion = rigid_transform(
                chance.uniform(-1, 1, 3) * 10 / 3**0.5,
                np.radians(chance.uniform(-1, 1, 3) * 10 / 3**0.5),
                CENTER,
            )
            fixed = scan(t1ce, brain, *first, tilt_degrees=6, motion=np.eye(4), chance=chance)
            moving = scan(flair, brain, *second, tilt_degrees=15, motion=motion, chance=chance)
            start = time.process_time()
            found = register(*fixed, *moving, settings)
            spent.append(time.process_time() - start)
            errors.append(displacements_mm(found.matrix @ motion, points))
        said = {
            "slices": kind,
            "mean_mm": np.mean(errors),
            "worst_draw_mm": np.mean(errors, axis=1).max(),
            "worst_point_mm": np.max(errors),
            "cpu_s": np.mean(spent),
        }
        rounded = {name: v if name == "slices" else round(float(v), 3) for name, v in said.items()}
        print(json.dumps({**rounded, "draws": draws}), flush=True)


def head(template: Path) -> tuple[Volume, Volume, Volume]:
    """CE-T1w, FLAIR and the brain (0 and 1), of one grid of 1 mm."""
    images = [
        nibabel.load(template / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz")
        for name in ("t1", "gm", "wm")
    ]
    t1, gray, white = (np.asarray(i.dataobj, np.float32) / np.max(i.dataobj) for i in images)
    brain = ndimage.binary_fill_holes(ndimage.binary_opening(t1 > 0.15, iterations=2))
    places = transform_points(images[0].affine, np.indices(brain.shape).reshape(3, -1))
    radius = np.linalg.norm(places - LESION[:, None], axis=0).reshape(brain.shape)
    lesion = ndimage.gaussian_filter((radius < 22).astype(np.float32), 2)
    ring = ndimage.gaussian_filter(((radius < 14) & (radius > 10)).astype(np.float32), 1)
    water = np.clip(brain - gray - white, 0, 1)
    flair = (0.9 * gray + 0.65 * white + 0.1 * water) * (1 - lesion) + 1.4 * lesion
    t1ce = t1 * (1 - 0.25 * lesion) + 0.8 * ring

    def volume(voxels: NDArray[np.generic]) -> Volume:
        shown = np.where(brain, voxels, 0).astype(np.float32)
        return Volume(name="head", voxels=shown, affine=images[0].affine)

    return volume(t1ce), volume(flair), volume(brain)


def scan(
    inside: Volume,
    brain: Volume,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    *,
    tilt_degrees: float,
    motion: Affine,
    chance: np.random.Generator,
) -> tuple[Volume, VolumeMask]:
    """A scan of the moved head on a grid tilted by up to `tilt_degrees`, and a brain mask of it."""
    tilt = rigid_transform(
        (0, 0, 0), np.radians(chance.uniform(-tilt_degrees, tilt_degrees, 3)), CENTER
    )
    affine = np.diag([-spacing[0], spacing[1], spacing[2], 1.0])
    affine[:3, 3] = CENTER - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    grid = Grid(affine=tilt @ affine, shape=shape)
    voxels, covered = (
        np.stack([picture for picture, _ in resliced(each, grid, motion)], axis=-1)
        for each in (inside, brain)
    )
    shade = 1 + 0.1 * smooth_noise(shape, spacing, 60, chance)
    noisy = np.abs(voxels * np.clip(shade, 0.7, 1.4) + 0.02 * chance.normal(size=shape))
    volume = Volume(name="scan", voxels=noisy.astype(np.float32), affine=grid.affine)
    return volume, erring(covered >= 0.5, spacing, chance)


def erring(
    mask: VolumeMask, spacing: tuple[float, float, float], chance: np.random.Generator
) -> VolumeMask:
    """The mask with edges that lie too far in or out, by 1.5 mm and by up to 1 mm everywhere."""
    depth = ndimage.distance_transform_edt(mask, sampling=spacing)
    depth -= ndimage.distance_transform_edt(~mask, sampling=spacing)
    error = 1.5 * smooth_noise(mask.shape, spacing, 8, chance) + chance.uniform(-1, 1)
    return np.asarray(depth > error)


def smooth_noise(
    shape: tuple[int, ...],
    spacing: tuple[float, float, float],
    size_mm: float,
    chance: np.random.Generator,
) -> Voxels:
    """Noise of standard deviation 1 that varies over `size_mm`."""
    noise = ndimage.gaussian_filter(chance.normal(size=shape), size_mm / np.array(spacing))
    return np.asarray(noise / noise.std(), dtype=np.float32)


if __name__ == "__main__":
    tyro.cli(main)
