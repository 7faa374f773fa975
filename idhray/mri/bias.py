"""The bias field, slow shading by the coils, estimated inside the brain and divided out (N4)."""

import numpy as np
import SimpleITK

from idhray.errors import MriError
from idhray.mri.volume import Mask, Volume, check_mask

FIT_MM = 4.0
"""The field is fitted on voxels about this large: it is smooth, and this is many times faster."""


def without_bias(volume: Volume, brain: Mask) -> Volume:
    """The volume divided by its bias field.

    Raises:
        MriError: the mask does not fit or is empty, or nothing inside it is above 0.

    Source: Tustison et al. 2010, IEEE Trans Med Imaging 29:1310, as in SimpleITK, on its settings.
    """
    check_mask(volume, brain)
    if not (volume.voxels[brain] > 0).any():
        raise MriError(
            f"{volume.name}: no voxel of the brain is above 0; N4 needs such, set n4 off"
        )
    voxels = np.maximum(volume.voxels, 0)  # N4 fits the logarithm
    # SimpleITK reverses the axes; float32, since N4 fails on integers.
    image = SimpleITK.GetImageFromArray(voxels)
    mask = SimpleITK.GetImageFromArray((brain & (voxels > 0)).astype(np.uint8))
    for each in (image, mask):
        each.SetSpacing(volume.spacing_mm[::-1])
    shrink = [max(int(FIT_MM / spacing), 1) for spacing in image.GetSpacing()]
    n4 = SimpleITK.N4BiasFieldCorrectionImageFilter()
    n4.SetNumberOfThreads(1)  # several add up in an order of their own
    n4.Execute(SimpleITK.Shrink(image, shrink), SimpleITK.Shrink(mask, shrink))
    field = np.exp(SimpleITK.GetArrayFromImage(n4.GetLogBiasFieldAsImage(image)))
    corrected = (volume.voxels / field).astype(np.float32)
    return Volume(name=volume.name, voxels=corrected, affine=volume.affine)
