"""Brain masks by an external program: HD-BET 2, SynthStrip, or any other that reads NIfTI.

Such tools download their weights or run in a container, so they are not part of this package. The
weights are given by path and SHA-256. The mask of the program passes the same gate as any other,
because failed programs can report success and write a mask of zeros.
"""

import hashlib
import os
import shlex
import subprocess
import tempfile
from functools import lru_cache

import nibabel
import numpy as np

from idhray.errors import MriError
from idhray.mri.brain.settings import BrainSettings
from idhray.mri.nifti.reader import read_volume
from idhray.mri.volume import Volume, VolumeMask, canonical

ENDINGS = (".nii", ".nii.gz")


def command_mask(volume: Volume, settings: BrainSettings) -> VolumeMask:
    """Brain mask of a canonical volume (RAS) by the program of the settings.

    Raises:
        MriError: The weights are missing or have another hash; the program is missing, fails or
            takes too long; or it writes no mask on the grid of the volume.
    """
    if settings.weights:
        check_weights(settings.weights, settings.weights_sha256)
    with tempfile.TemporaryDirectory() as folder:
        source, target = os.path.join(folder, "scan.nii.gz"), os.path.join(folder, "out")
        os.mkdir(target)
        image = nibabel.Nifti1Image(volume.voxels.astype(np.float32), volume.affine)
        nibabel.save(image, source)
        paths = {
            "input": source,
            "output": os.path.join(target, "mask.nii.gz"),
            "weights": settings.weights,
        }
        _run([part.format(**paths) for part in shlex.split(settings.command)], volume, settings)
        outputs = [name for name in sorted(os.listdir(target)) if name.endswith(ENDINGS)]
        if len(outputs) != 1:
            raise MriError(
                f"{volume.name}: the brain program left {len(outputs)} NIfTI files in the folder "
                "of {output}, must be 1: the mask; check brain.command"
            )
        mask = canonical(read_volume(os.path.join(target, outputs[0]), name="its mask"))
    if mask.voxels.shape != volume.voxels.shape or not np.allclose(
        mask.affine, volume.affine, atol=1e-3
    ):
        raise MriError(f"{volume.name}: the brain program left a mask on another grid")
    return np.asarray(mask.voxels > 0.5)


@lru_cache
def check_weights(path: str, sha256: str) -> None:
    """Refuse a missing or different file of weights.

    Raises:
        MriError: The file is missing or has another SHA-256.
    """
    if not os.path.isfile(path):
        raise MriError(f"{path}: no such file; give the weights of the brain program")
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != sha256.lower():
        raise MriError(f"{path}: its SHA-256 is {digest}, not {sha256}; fetch the weights again")


def _run(command: list[str], volume: Volume, settings: BrainSettings) -> None:
    try:
        process = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=settings.command_timeout_s,
            check=False,
        )
    except OSError as error:
        raise MriError(f"the brain program {command[0]} cannot be run ({error.strerror})")
    except subprocess.TimeoutExpired:
        raise MriError(
            f"{volume.name}: the brain program took more than {settings.command_timeout_s:g} s; "
            "see brain.command_timeout_s"
        )
    if process.returncode:
        lines = (process.stderr or process.stdout).strip().splitlines()
        raise MriError(
            f"{volume.name}: the brain program exited with code {process.returncode}"
            f" ({lines[-1][:200] if lines else 'no output'})"
        )
