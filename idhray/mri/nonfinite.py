"""Voxels without a number (NaN or infinite) inside the brain, which fail a study.

Outside the brain they count as 0, as tools that reslice or mask mean them. Slices whose FLAIR lacks
numbers deep in the brain of the CE-T1w are left out, see `slices.py`.
"""

import numpy as np

from idhray.errors import MriError
from idhray.mri.volume import Volume, VolumeMask

ADVICE = "convert the scan again, or set zero_nonfinite to take them as 0"


def refuse_nonfinite(volume: Volume, brain: VolumeMask) -> None:
    """Refuse a volume with voxels without a number in its brain.

    Raises:
        MriError: The message has their count.
    """
    if volume.nonfinite is None:
        return
    if count := int(np.count_nonzero(volume.nonfinite & brain)):
        raise MriError(
            f"{volume.name}: {count} of {np.count_nonzero(brain)} voxels in the brain are NaN or "
            f"infinite; {ADVICE}"
        )
