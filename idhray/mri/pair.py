"""Slices of one patient's CE-T1w and FLAIR: register, window, cut, draw a quality picture."""

from dataclasses import dataclass

from idhray.images import RGB
from idhray.mri.bias import bias_corrected
from idhray.mri.intensity import window, windowed
from idhray.mri.quality import quality_picture
from idhray.mri.register import Registration, register
from idhray.mri.settings import SliceSettings
from idhray.mri.slices import SliceSet, cut_slices
from idhray.mri.volume import Volume, VolumeMask


@dataclass(frozen=True, kw_only=True)
class PairedSlices:
    """Slices of one patient, their registration and a quality picture."""

    registration: Registration
    slices: SliceSet
    picture: RGB
    """Picture for visual inspection, see `quality_picture`."""


def paired_slices(
    t1ce: Volume,
    t1ce_brain: VolumeMask,
    flair: Volume,
    flair_brain: VolumeMask,
    settings: SliceSettings,
    *,
    tumor: VolumeMask | None = None,
) -> PairedSlices:
    """Paired slices of a patient.

    Args:
        t1ce: CE-T1w as acquired; the result has its slices.
        t1ce_brain: Brain mask of `t1ce`.
        flair: FLAIR as acquired, on a grid of its own.
        flair_brain: Brain mask of `flair`.
        settings: Settings of all steps.
        tumor: Tumor mask on the grid of `t1ce`; slices without tumor are then left out.

    Raises:
        MriError: A mask does not fit or is empty, a brain has one value only or is larger than the
            field of view, or the CE-T1w is too coarse for axial slices.
    """
    missing = flair.nonfinite
    if settings.n4:
        t1ce, flair = bias_corrected(t1ce, t1ce_brain), bias_corrected(flair, flair_brain)
    registration = register(t1ce, t1ce_brain, flair, flair_brain, settings)
    limits = settings.low_percentile, settings.high_percentile
    t1ce = windowed(t1ce, window(t1ce, t1ce_brain, *limits))
    flair = windowed(flair, window(flair, flair_brain, *limits))
    return PairedSlices(
        registration=registration,
        slices=cut_slices(
            t1ce,
            t1ce_brain,
            flair,
            registration.matrix,
            settings,
            tumor=tumor,
            flair_missing=missing,
        ),
        picture=quality_picture(
            t1ce, t1ce_brain, flair, flair_brain, registration.matrix, fov_mm=settings.fov_mm
        ),
    )
