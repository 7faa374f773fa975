"""Correction of the bias field, the slow shading by the coils, estimated inside the brain (N4)."""

import numpy as np
import SimpleITK

from idhray.errors import MriError
from idhray.mri.volume import Volume, VolumeMask, check_mask

FIT_MM = 4.0
"""Approximate voxel size for the fit. The field is smooth, and the fit is many times faster."""


def bias_corrected(volume: Volume, brain: VolumeMask) -> Volume:
    """Volume divided by its bias field.

    Raises:
        MriError: The mask does not fit or is empty, or no voxel inside it is above 0.

    Source: Tustison et al. 2010, IEEE Trans Med Imaging 29:1310, as in SimpleITK with its default
    settings.
    """
    check_mask(volume, brain)
    if not (volume.voxels[brain] > 0).any():
        raise MriError(f"{volume.name}: no voxel of the brain is above 0, as N4 needs; set n4 off")
    voxels = np.maximum(volume.voxels, 0)  # N4 fits the logarithm
    # SimpleITK reverses the axes. N4 fails on integers, so the voxels are float32.
    image = SimpleITK.GetImageFromArray(voxels)
    mask = SimpleITK.GetImageFromArray((brain & (voxels > 0)).astype(np.uint8))
    for grid in (image, mask):
        grid.SetSpacing(volume.spacing_mm[::-1])
    shrink = [max(int(FIT_MM / spacing), 1) for spacing in image.GetSpacing()]
    n4 = SimpleITK.N4BiasFieldCorrectionImageFilter()
    n4.SetNumberOfThreads(1)  # several threads add up in varying order
    n4.Execute(SimpleITK.Shrink(image, shrink), SimpleITK.Shrink(mask, shrink))
    field = np.exp(SimpleITK.GetArrayFromImage(n4.GetLogBiasFieldAsImage(image)))
    corrected = (volume.voxels / field).astype(np.float32)
    return Volume(name=volume.name, voxels=corrected, affine=volume.affine)
