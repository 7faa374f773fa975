"""Brain masks by deepbet (Fisch et al. 2024), whose weights are part of its package.

Its networks are called with arrays. With paths, deepbet refuses small files and writes files.
"""

import warnings
from functools import lru_cache

import numpy as np
from deepbet import BrainExtraction

from idhray.errors import MriError
from idhray.mri.volume import Volume, VolumeMask

THRESHOLD = 0.5
"""Threshold of the brain probability, as in deepbet. From 0.1 to 0.9, Dice hardly changes."""


def deepbet_mask(volume: Volume, device: str) -> VolumeMask:
    """Brain mask of a canonical volume (RAS): one component without holes.

    Raises:
        MriError: The network finds no brain.
    """
    bet = _networks(device)
    try:
        probability = bet.run_model(np.ascontiguousarray(volume.voxels))
        return np.asarray(bet.postprocess(probability > THRESHOLD), dtype=np.bool_)
    except (AssertionError, ValueError):  # deepbet fails like this on an empty mask
        raise MriError(
            f"{volume.name}: deepbet finds no brain; check that it is a scan of a head, or give "
            "a mask"
        )


@lru_cache(maxsize=1)
def _networks(device: str) -> BrainExtraction:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*torch.jit.load. is deprecated", DeprecationWarning)
        bet = BrainExtraction(no_gpu=True)
    bet.model.to(device)
    bet.bbox_model.to(device)
    return bet
