"""How closely is a real FLAIR registered? Known motions of it are recovered.

    python benchmarks/mri_registration.py --data FOLDER [--draws 10] [--steps 4 2]

FOLDER holds the CE-T1w, the FLAIR and their brain masks of one patient, PREFIX_t1c.nii.gz,
PREFIX_fla.nii.gz, PREFIX_hdbet_mask_native_t1c.nii.gz and PREFIX_hdbet_mask_native_fla.nii.gz.
Each draw moves the FLAIR by up to 10 degrees and 10 mm, about the brain's center. The error is the
distance of points of the brain from where the registration of the FLAIR as it was puts them, in the
plane of the CE-T1w's slices and through it. Two ways to move it:

header     its affine only: the voxels stay, what is measured is the search
resampled  it is read anew (cubic) on a grid that stays: slices lie elsewhere in the brain, as if
           the patient had moved. It is blurred a second time, which a scanner would not do.
"""

import json
import time
from pathlib import Path

import nibabel
import numpy as np
import tyro
from numpy.typing import NDArray

from idhray.chance import generator
from idhray.mri.register import Registration, register
from idhray.mri.reslice import Grid, resliced
from idhray.mri.settings import SliceSettings
from idhray.mri.transform import Affine, PointsMm, inverse, rigid_transform, transform_points
from idhray.mri.volume import Volume, VolumeMask, canonical, mask_points_mm, mask_volume

MARGIN_VOXELS = (16, 16, 4)
"""Added on each side of the FLAIR's grid, so that the moved brain stays inside."""


def main(data: Path, draws: int = 10, steps: tuple[float, ...] = (4.0, 2.0), seed: int = 0) -> None:
    """Print one JSON line for each draw and way, and one for each way."""
    settings = SliceSettings(registration_steps_mm=steps)
    t1ce, flair = volume(data, "t1c"), volume(data, "fla")
    brains = [volume(data, f"hdbet_mask_native_{name}").voxels > 0 for name in ("t1c", "fla")]
    points = mask_points_mm(brains[0], t1ce)
    normal = canonical(t1ce).affine[:3, 2] / canonical(t1ce).spacing_mm[2]
    still, seconds = timed(t1ce, brains[0], flair, brains[1], settings)
    print(json.dumps({"draw": "as it was", **figures(still), "cpu_s": seconds}), flush=True)
    for way in ("header", "resampled"):
        errors, spent = [], []
        for draw in range(draws):
            motion = drawn(points.mean(axis=1), generator(seed, "motion", draw))
            move = in_header if way == "header" else anew
            found, seconds = timed(t1ce, brains[0], *move(flair, brains[1], motion), settings)
            error = transform_points(found.matrix @ motion @ inverse(still.matrix), points) - points
            errors.append(error)
            spent.append(seconds)
            said = {"way": way, "draw": draw, **figures(found), **summary(error, normal)}
            print(json.dumps({**said, "cpu_s": seconds}), flush=True)
        total = summary(np.concatenate(errors, axis=1), normal)
        print(json.dumps({"way": way, "draws": draws, **total, "cpu_s": np.mean(spent).round(2)}))


def volume(data: Path, name: str) -> Volume:
    """One file of the patient."""
    (path,) = data.glob(f"*[0-9]_{name}.nii.gz")
    image = nibabel.load(path)
    voxels = np.asarray(image.dataobj, dtype=np.float32)
    return Volume(name=name, voxels=voxels, affine=image.affine)


def drawn(center: PointsMm, chance: np.random.Generator) -> Affine:
    """A turn of up to 10 degrees about any axis and a shift of up to 10 mm in any direction."""
    axis, way = (vector / np.linalg.norm(vector) for vector in chance.normal(size=(2, 3)))
    angle, far = chance.uniform(0, (np.radians(10), 10))
    # Euler angles of so small a turn are not quite its vector: it is up to 10 degrees all the same.
    return rigid_transform(far * way, angle * axis, center)


def in_header(flair: Volume, brain: VolumeMask, motion: Affine) -> tuple[Volume, VolumeMask]:
    """The same voxels, said to lie elsewhere."""
    return Volume(name="fla", voxels=flair.voxels, affine=motion @ flair.affine), brain


def anew(flair: Volume, brain: VolumeMask, motion: Affine) -> tuple[Volume, VolumeMask]:
    """The moved brain as read on the grid of the FLAIR, with a margin."""
    shape = tuple(n + 2 * more for n, more in zip(brain.shape, MARGIN_VOXELS, strict=True))
    affine = flair.affine.copy()
    affine[:3, 3] = transform_points(affine, -np.array(MARGIN_VOXELS)[:, None])[:, 0]
    grid = Grid(affine=affine, shape=shape)
    voxels, inside = (
        np.stack([picture for picture, _ in resliced(each, grid, motion, kind)], axis=-1)
        for each, kind in ((flair, "cubic"), (mask_volume(brain, flair), "linear"))
    )
    return Volume(name="fla", voxels=voxels, affine=affine), inside >= 0.5


def timed(
    t1ce: Volume,
    t1ce_brain: VolumeMask,
    flair: Volume,
    flair_brain: VolumeMask,
    settings: SliceSettings,
) -> tuple[Registration, float]:
    """The registration, and its CPU-seconds."""
    start = time.process_time()
    found = register(t1ce, t1ce_brain, flair, flair_brain, settings)
    return found, round(time.process_time() - start, 2)


def figures(found: Registration) -> dict[str, float | str]:
    """What is stored of a registration."""
    names = ("nmi_before", "nmi_after", "rotation_degrees", "displacement_mean_mm", "overlap")
    rounded = {name: round(float(getattr(found, name)), 4) for name in names}
    return {**rounded, "implausible": found.implausible}


def summary(error: PointsMm, normal: NDArray[np.float64]) -> dict[str, float]:
    """Mean and maximum of the distances, and of their parts in and through the plane."""
    through = np.abs(normal @ error)
    whole = np.linalg.norm(error, axis=0)
    in_plane = np.sqrt(np.maximum(whole**2 - through**2, 0))
    parts = {"tre": whole, "in_plane": in_plane, "through_plane": through}
    return {
        f"{name}_{kind}_mm": round(float(value), 4)
        for name, part in parts.items()
        for kind, value in (("mean", part.mean()), ("max", part.max()))
    }


if __name__ == "__main__":
    tyro.cli(main)
