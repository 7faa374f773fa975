"""One patient's CE-T1w and FLAIR, with their brains, to slices: register, window, cut, judge."""

from dataclasses import dataclass

from idhray.images import RGB
from idhray.mri.bias import without_bias
from idhray.mri.intensity import window, windowed
from idhray.mri.quality import quality_picture
from idhray.mri.register import Registration, register
from idhray.mri.settings import SliceSettings
from idhray.mri.slices import SliceSet, cut_slices
from idhray.mri.volume import Mask, Volume


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What one patient gave."""

    registration: Registration
    slices: SliceSet
    picture: RGB
    """For a person to judge, see `quality_picture`."""


def paired_slices(
    t1ce: Volume,
    t1ce_brain: Mask,
    flair: Volume,
    flair_brain: Mask,
    settings: SliceSettings,
    *,
    tumor: Mask | None = None,
) -> Pair:
    """The paired slices of a patient.

    Args:
        t1ce: As acquired; its slices are those of the result.
        t1ce_brain: Its brain.
        flair: As acquired, on a grid of its own.
        flair_brain: Its brain.
        settings: All steps.
        tumor: On the grid of `t1ce`; where given, only slices that show some of it are kept.

    Raises:
        MriError: a mask does not fit or is empty, a brain has one value only, is larger than the
            field of view, or was acquired too coarsely for axial slices.
    """
    if settings.n4:
        t1ce, flair = without_bias(t1ce, t1ce_brain), without_bias(flair, flair_brain)
    found = register(t1ce, t1ce_brain, flair, flair_brain, settings)
    limits = settings.low_percentile, settings.high_percentile
    t1ce = windowed(t1ce, window(t1ce, t1ce_brain, *limits))
    flair = windowed(flair, window(flair, flair_brain, *limits))
    return Pair(
        registration=found,
        slices=cut_slices(t1ce, t1ce_brain, flair, found.matrix, settings, tumor=tumor),
        picture=quality_picture(
            t1ce, t1ce_brain, flair, flair_brain, found.matrix, fov_mm=settings.fov_mm
        ),
    )
