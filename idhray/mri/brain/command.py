"""Brain masks by a program of the user's: HD-BET 2, SynthStrip, anything that reads NIfTI.

Such tools download their weights, or come in a container; so they stay outside. Weights are given
by path and SHA-256, and what the program leaves is judged like any other mask: programs that fail
have been seen to report success and write a mask of zeros.
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
from idhray.mri.volume import Mask, Volume, canonical

ENDINGS = (".nii", ".nii.gz")


def command_mask(volume: Volume, settings: BrainSettings) -> Mask:
    """The brain of a canonical volume (RAS), as the program of the settings says.

    Raises:
        MriError: the weights are missing or others; the program is missing, fails, takes too long,
            or leaves no mask on the grid of the volume.
    """
    if settings.weights:
        check_weights(settings.weights, settings.weights_sha256)
    with tempfile.TemporaryDirectory() as folder:
        source, target = os.path.join(folder, "scan.nii.gz"), os.path.join(folder, "out")
        os.mkdir(target)
        image = nibabel.Nifti1Image(volume.voxels.astype(np.float32), volume.affine)
        nibabel.save(image, source)
        places = {
            "input": source,
            "output": os.path.join(target, "mask.nii.gz"),
            "weights": settings.weights,
        }
        _run([part.format(**places) for part in shlex.split(settings.command)], volume, settings)
        found = [name for name in sorted(os.listdir(target)) if name.endswith(ENDINGS)]
        if len(found) != 1:
            raise MriError(
                f"{volume.name}: the brain program left {len(found)} NIfTI files in the folder of "
                "{output}, must be 1: the mask; see brain.command"
            )
        mask = canonical(read_volume(os.path.join(target, found[0]), name="its mask"))
    if mask.voxels.shape != volume.voxels.shape or not np.allclose(
        mask.affine, volume.affine, atol=1e-3
    ):
        raise MriError(f"{volume.name}: the brain program left a mask on another grid")
    return np.asarray(mask.voxels > 0.5)


@lru_cache
def check_weights(path: str, sha256: str) -> None:
    """Refuse weights that are not those that were asked for.

    Raises:
        MriError: the file is missing, or has another SHA-256.
    """
    if not os.path.isfile(path):
        raise MriError(f"{path}: no such file; give the weights of the brain program")
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256.lower():
        raise MriError(f"{path}: its SHA-256 is {found}, not {sha256}; fetch the weights again")


def _run(command: list[str], volume: Volume, settings: BrainSettings) -> None:
    try:
        done = subprocess.run(
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
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise MriError(
            f"{volume.name}: the brain program ended with {done.returncode}"
            f" ({said[-1][:200] if said else 'it said nothing'})"
        )
