"""Known motions of a made-up head are found again, from any orientation and start."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from idhray.errors import MriError
from idhray.mri.register import register
from idhray.mri.settings import SliceSettings
from idhray.mri.transform import displacements_mm, rigid_transform, rotation_degrees
from idhray.mri.volume import Volume, mask_points_mm
from tests.mri.head import FLAIR, T1CE, grid, pair, reordered, scan

SETTINGS = SliceSettings()
QUICK = replace(SETTINGS, registration_steps_mm=(4.0,))


def error_mm(found, head, t1ce, brain):
    """How far points of the brain end from where they belong."""
    return displacements_mm(found.matrix @ head, mask_points_mm(brain, t1ce))


def draw(k):
    rng = np.random.default_rng(k)
    return rigid_transform(rng.uniform(-10, 10, 3), np.radians(rng.uniform(-6, 6, 3)), (0, 0, 0))


@pytest.mark.parametrize("k", range(3))
def test_a_known_motion_is_found(k):
    """Slices of 5 mm, tilted, in another contrast; the truth is exact."""
    head = draw(k)
    t1ce, t1ce_brain, flair, flair_brain = pair(head)
    found = register(t1ce, t1ce_brain, flair, flair_brain, SETTINGS)
    error = error_mm(found, head, t1ce, t1ce_brain)

    assert error.mean() < 0.5
    assert error.max() < 1.0
    assert found.nmi_after > found.nmi_before > 1
    assert found.rotation_degrees == pytest.approx(rotation_degrees(head), abs=0.6)
    assert found.overlap > 0.97
    assert found.implausible == ""


def test_figures_of_a_motion_are_those_of_the_brain():
    """A pure shift moves every point alike."""
    head = rigid_transform((3, -4, 12), (0, 0, 0), (0, 0, 0))
    found = register(*pair(head), SETTINGS)

    assert found.translation_mm == pytest.approx(13, abs=0.4)
    assert found.displacement_mean_mm == pytest.approx(13, abs=0.4)
    assert found.displacement_max_mm == pytest.approx(13, abs=1.0)


@pytest.mark.parametrize("axes", ["RAS", "LPI", "ASR"])
def test_the_order_of_axes_changes_nothing(axes):
    """Millimeters are compared, not indices: sagittal FLAIR, or one written upside down."""
    head = draw(7)
    t1ce, t1ce_brain, flair, flair_brain = pair(head)
    found = register(t1ce, t1ce_brain, *reordered(flair, flair_brain, axes), QUICK)

    assert error_mm(found, head, t1ce, t1ce_brain).mean() < 0.8


def test_headers_far_apart_are_found_and_flagged():
    """An origin was lost: centers of the brains are the start, and the distance is said."""
    head = rigid_transform((300, -200, 90), np.radians((5, 4, -3)), (0, 0, 0))
    t1ce, t1ce_brain, flair, flair_brain = pair()
    lost = Volume(name="flair", voxels=flair.voxels, affine=head @ flair.affine)
    found = register(t1ce, t1ce_brain, lost, flair_brain, QUICK)

    assert error_mm(found, head, t1ce, t1ce_brain).mean() < 0.8
    assert "moved 37" in found.implausible
    assert "turned" not in found.implausible


def test_a_start_that_fits_is_not_left():
    """Headers that are right: nothing moves by more than the error of the method."""
    found = register(*pair(), SETTINGS)

    assert found.displacement_max_mm < 0.8


def test_brains_of_two_people_are_flagged():
    """Nothing rigid brings a smaller head onto this one."""
    t1ce, t1ce_brain, flair, flair_brain = pair()
    small = flair.affine @ np.diag([0.9, 0.9, 0.9, 1])
    other = Volume(name="flair", voxels=flair.voxels, affine=small)
    found = register(t1ce, t1ce_brain, other, flair_brain, QUICK)

    assert "brains overlap by 0.8" in found.implausible


def test_noise_in_place_of_a_brain_is_flagged():
    """It tells nothing of the CE-T1w, wherever it is put."""
    t1ce, t1ce_brain, flair, flair_brain = pair()
    noise = np.random.default_rng(0).random(flair.voxels.shape, dtype=np.float32)
    other = Volume(name="flair", voxels=noise, affine=flair.affine)
    ball = np.random.default_rng(1).random(flair.voxels.shape) < 0.3
    found = register(t1ce, t1ce_brain, other, flair_brain & ball, QUICK)

    assert "mutual information 1.0" in found.implausible


def test_limits_are_those_of_the_settings():
    """A flag is a number in the settings."""
    strict = replace(QUICK, max_rotation_degrees=2.0, max_displacement_mm=1.0, min_overlap=1.0)
    found = register(*pair(draw(1)), strict)

    for word in ("turned", "moved", "overlap"):
        assert word in found.implausible


def test_it_is_the_same_to_the_last_bit_with_any_number_of_threads():
    """A cohort is done by many workers on many machines, with whatever load."""
    code = (
        "from tests.mri.head import pair; from tests.mri.test_register import QUICK, draw\n"
        "from idhray.mri.register import register\n"
        "found = register(*pair(draw(3)), QUICK)\n"
        "print(found.matrix.tobytes().hex(), found.nmi_after.hex())"
    )
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**dict.fromkeys(names, threads), "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "4")
    }

    assert len(said) == 1


@pytest.mark.parametrize("which", [0, 1], ids=["t1ce", "flair"])
def test_an_empty_mask_is_refused_by_name(which):
    """An extraction that failed."""
    volumes = list(pair())
    volumes[2 * which + 1] = np.zeros_like(volumes[2 * which + 1])

    with pytest.raises(MriError, match=f"^{('t1ce', 'flair')[which]}: its mask is empty"):
        register(*volumes, QUICK)


def test_a_constant_volume_is_refused_by_name():
    """There is nothing to compare."""
    t1ce, t1ce_brain, flair, flair_brain = pair()
    flat = Volume(name="flair", voxels=np.full_like(flair.voxels, 5), affine=flair.affine)

    with pytest.raises(MriError, match=r"^flair: the brain is 5 from percentile"):
        register(t1ce, t1ce_brain, flat, flair_brain, QUICK)


def test_volumes_of_thin_slices_are_registered_too():
    """Both in three dimensions, as most scanners give them now."""
    head, shape = draw(1), (72, 88, 64)
    fixed = scan(T1CE, grid((2, 2, 2), shape), shape)
    moving = scan(FLAIR, grid((2, 2, 2), shape, "PSR"), shape, head)
    found = register(*fixed, *moving, SETTINGS)

    assert error_mm(found, head, *fixed).mean() < 0.3
