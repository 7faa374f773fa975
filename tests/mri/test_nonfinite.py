"""NaN outside the brain counts as 0; inside it fails the study with its count."""

import numpy as np
import pytest

from idhray.errors import MriError
from idhray.mri.nonfinite import refuse_nonfinite
from idhray.mri.settings import SliceSettings
from idhray.mri.slices import cut_slices
from idhray.mri.volume import Volume

SHAPE = (40, 40, 40)
BALL = np.linalg.norm(np.indices(SHAPE) - 19.5, axis=0)
BRAIN = BALL < 18
SMALL = SliceSettings(fov_mm=40, size_px=40, registration_steps_mm=(4.0,))


def volume(nonfinite=None, name="P1 FLAIR"):
    """A ball of brain, radius 18 mm."""
    return Volume(name=name, voxels=BRAIN.astype(np.float32), affine=np.eye(4), nonfinite=nonfinite)


def test_voxels_inside_the_brain_are_counted():
    """A hole in a tumor would be a necrosis that nobody has."""
    with pytest.raises(MriError, match=r"^P1 FLAIR: 32 of \d+ voxels in the brain are NaN"):
        refuse_nonfinite(volume(BALL < 2), BRAIN)
    refuse_nonfinite(volume(BALL > 18), BRAIN)
    refuse_nonfinite(volume(), BRAIN)


def test_slices_that_the_flair_lacks_are_left_out():
    """Reslicing to the CE-T1w writes NaN beyond the FLAIR: as if it were not acquired there."""
    above = np.indices(SHAPE)[2] >= 30

    def slices(missing):
        t1ce = volume(name="P1 CE-T1w")
        return cut_slices(t1ce, BRAIN, volume(), np.eye(4), SMALL, flair_missing=missing)

    whole, part = slices(None), slices(above)
    assert max(each.z_mm for each in part.slices) < 30 < max(each.z_mm for each in whole.slices)
    assert len(part.slices) == sum(each.z_mm < 30 for each in whole.slices)
    assert part.with_brain == whole.with_brain
    rim = slices(BALL > 15)  # the masks of two tools differ; only the top and the bottom are lost
    assert [each.z_mm for each in rim.slices] == [each.z_mm for each in whole.slices][3:-3]
