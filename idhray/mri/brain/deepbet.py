"""Brain masks by deepbet (Fisch et al. 2024), whose weights lie inside its package.

Its networks are given arrays, not files: by path it refuses small files and writes its own.
"""

import warnings
from functools import lru_cache

import numpy as np
from deepbet import BrainExtraction

from idhray.errors import MriError
from idhray.mri.volume import Mask, Volume

THRESHOLD = 0.5
"""Of the probability of brain, as in deepbet. Between 0.1 and 0.9, Dice hardly changes."""


def deepbet_mask(volume: Volume, device: str) -> Mask:
    """The brain of a canonical volume (RAS): one component without holes.

    Raises:
        MriError: it finds no brain.
    """
    bet = _networks(device)
    try:
        probability = bet.run_model(np.ascontiguousarray(volume.voxels))
        return np.asarray(bet.postprocess(probability > THRESHOLD), dtype=np.bool_)
    except (AssertionError, ValueError):  # what an empty mask ends in, inside deepbet
        raise MriError(
            f"{volume.name}: deepbet finds no brain; see whether it is a scan of a head, or give "
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
