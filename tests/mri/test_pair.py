"""All steps together, on the made-up head and on a real patient."""

from dataclasses import replace

import nibabel
import numpy as np
import pytest

from idhray.mri.pair import paired_slices
from idhray.mri.register import register
from idhray.mri.settings import PRESETS, SliceSettings
from idhray.mri.transform import displacements_mm, rigid_transform
from idhray.mri.volume import Volume, mask_points_mm
from tests.mri.head import LESION_MM, pair


def test_a_pair_becomes_aligned_slices():
    """The lesion, enhancing and bright in FLAIR, is at one place in both channels."""
    head = rigid_transform((8, -5, 3), np.radians((4, -5, 6)), (0, 0, 0))
    found = paired_slices(*pair(head), SliceSettings(size_px=120))
    cut = min(found.slices.slices, key=lambda one: abs(one.z_mm - LESION_MM[2]))
    centers = [np.argwhere(cut.image[..., c] > 230).mean(axis=0) for c in (0, 1)]

    assert found.registration.implausible == ""
    assert centers[0] == pytest.approx(centers[1], abs=1.0)
    assert found.picture.ndim == 3


def test_the_demo_preset_works_on_the_made_up_head():
    """64 px, sixteen slices."""
    found = paired_slices(*pair(), PRESETS["demo"])

    assert len(found.slices.slices) == 16 < found.slices.with_tumor
    assert found.slices.slices[0].image.shape == (64, 64, 3)
    assert found.registration.implausible == ""


def test_a_bias_field_is_corrected_where_asked():
    """Two settings, two results."""
    volumes = pair()
    plain = paired_slices(*volumes, PRESETS["demo"])
    flat = paired_slices(*volumes, replace(PRESETS["demo"], n4=True))

    assert any(
        not np.array_equal(a.image, b.image)
        for a, b in zip(plain.slices.slices, flat.slices.slices, strict=True)
    )


@pytest.fixture(scope="module")
def patient(real_data):
    """CE-T1w, brain, FLAIR, brain of a patient of TCGA."""
    stem = real_data / "mri" / "TCGA-FG-6692" / "TCGA-FG-6692_"

    def volume(name):
        image = nibabel.load(f"{stem}{name}.nii.gz")
        voxels = np.asarray(image.dataobj, dtype=np.float32)
        return Volume(name=name, voxels=voxels, affine=image.affine)

    masks = [volume(f"hdbet_mask_native_{name}").voxels > 0 for name in ("t1c", "fla")]
    return volume("t1c"), masks[0], volume("fla"), masks[1]


def test_a_real_patient(patient):
    """26 slices of 5.5 mm on two grids, 18 mm apart by their headers; the result was looked at."""
    found = paired_slices(*patient, SliceSettings())

    assert found.registration.implausible == ""
    assert found.registration.overlap > 0.96
    assert found.registration.rotation_degrees == pytest.approx(13.5, abs=0.3)
    assert (found.slices.planes, len(found.slices.slices)) == (26, 23)
    assert found.slices.covered == 23
    # The tumor is in the right frontal lobe: on the left of the image, in its upper half.
    cut = min(found.slices.slices, key=lambda one: abs(one.z_mm - 40))
    row, column = np.argwhere(cut.image[..., 1] > 235).mean(axis=0)
    assert row < 110
    assert column < 110


def test_a_real_flair_that_was_moved_is_found(patient):
    """10 degrees and 10 mm more; benchmarks/mri_registration.py measures ten such draws."""
    t1ce, t1ce_brain, flair, flair_brain = patient
    settings = SliceSettings()
    points = mask_points_mm(t1ce_brain, t1ce)
    head = rigid_transform((5, -7, 5), np.radians((6, -6, 5)), points.mean(axis=1))
    elsewhere = Volume(name="fla", voxels=flair.voxels, affine=head @ flair.affine)
    still = register(*patient, settings).matrix
    found = register(t1ce, t1ce_brain, elsewhere, flair_brain, settings).matrix

    assert displacements_mm(found @ head @ np.linalg.inv(still), points).max() < 0.2
