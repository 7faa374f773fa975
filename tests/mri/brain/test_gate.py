"""A mask that cannot be a brain fails, and says why; one that can passes."""

import numpy as np
import pytest

from idhray.errors import ConfigError, MriError
from idhray.mri.brain.extraction import BrainMask, BrainSettings, extract_brain
from idhray.mri.brain.gate import (
    GateSettings,
    checked_brain,
    header_overlap,
    mask_problems,
    measured_mask,
    pair_problems,
)
from idhray.mri.nifti.reader import read_volume
from idhray.mri.transform import rigid_transform
from idhray.mri.volume import Volume

SHAPE = (60, 62, 44)
AFFINE = np.diag([-4.0, 4, 5, 1])
LIMITS = GateSettings()


def ellipsoid(radii_mm, center=(30, 31, 22), shape=SHAPE):
    index = np.indices(shape) - np.array(center)[:, None, None, None]
    offset = index * np.array([4, 4, 5])[:, None, None, None]
    return ((offset / np.array(radii_mm)[:, None, None, None]) ** 2).sum(axis=0) < 1


BRAIN = ellipsoid((66, 80, 60))  # 1327 ml
NOISE = np.random.default_rng(0).random(SHAPE)


def scan(bright=BRAIN, shift=0.0, affine=AFFINE, name="P1 t1ce"):
    voxels = (50 * bright + NOISE[: bright.shape[0]] + shift).astype(np.float32)
    return Volume(name=name, voxels=voxels, affine=affine)


def problems(mask, volume=None):
    volume = scan(mask) if volume is None else volume
    return mask_problems(measured_mask(volume, mask)[0], LIMITS)


def test_a_brain_passes_with_its_figures():
    """An ellipsoid of half axes 6.6, 8 and 6 cm: 4/3 pi times them."""
    figures = measured_mask(scan(), BRAIN)[0]

    assert mask_problems(figures, LIMITS) == []
    assert figures.ml == pytest.approx(1327, rel=0.01)
    assert figures.extent_mm == pytest.approx((132, 160, 120), abs=8)
    assert (figures.largest_fraction, figures.hole_fraction) == (1, 0)
    assert figures.empty_fraction < 0.001
    assert figures.face_fractions == (0,) * 6
    assert figures.contrast > 0.9


def cut(mask, *ends):
    """Mask and scan without what lies beyond the given slices."""
    box = tuple(slice(*end) for end in ends)
    voxels = (50 * mask + NOISE)[box].astype(np.float32)
    return mask[box], Volume(name="P1 t1ce", voxels=voxels, affine=AFFINE)


def test_a_brain_cut_off_above_and_below_passes():
    """Many clinical scans begin in the cerebellum and end below the vertex."""
    mask, volume = cut(BRAIN, (0, 60), (0, 62), (12, 32))

    assert measured_mask(volume, mask)[0].face_fractions[4] > 0.05
    assert problems(mask, volume) == []


def test_ventricles_and_specks_pass_and_are_repaired():
    """Some tools leave the ventricles out, or a few voxels of the orbit in."""
    mask = BRAIN & ~ellipsoid((15, 30, 12))
    mask[2, 2, 2] = True

    brain = checked_brain(scan(), BrainMask(mask, "given"), LIMITS)

    np.testing.assert_array_equal(brain, BRAIN)


HALVES = ellipsoid((40, 60, 60), (14, 31, 22)) | ellipsoid((40, 60, 60), (46, 31, 22))
LONG = ellipsoid((40, 110, 60))
IMPLAUSIBLE = {
    "empty": (BRAIN & False, "it is empty"),
    "everything": (BRAIN | True, "it marks every voxel"),
    "a plum": (ellipsoid((40, 40, 40)), "266 ml, must be 900 to 2200"),
    "the head": (ellipsoid((86, 102, 95)), "3489 ml, must be"),
    "a sausage": (LONG, "76 x 220 x 115 mm, each must be at most 210"),
    "two halves": (HALVES, "its largest component is 50% of it"),
    "a shell": (BRAIN & ~ellipsoid((40, 50, 40)), "25% of it are holes"),
}


@pytest.mark.parametrize(("mask", "sentence"), IMPLAUSIBLE.values(), ids=IMPLAUSIBLE)
def test_what_is_no_brain_fails_with_a_sentence(mask, sentence):
    """A tool that failed may still end with success and any of these."""
    volume = scan(BRAIN)

    assert any(problem.startswith(sentence) for problem in problems(mask, volume))
    with pytest.raises(MriError, match="P1 t1ce: implausible brain mask") as error:
        checked_brain(volume, BrainMask(mask, "deepbet"), LIMITS)
    assert sentence in str(error.value)


def test_a_mask_beyond_most_faces_fails():
    """HD-BET on noise fills corners and edges."""
    mask, volume = cut(ellipsoid((75, 90, 80)), (14, 46), (13, 49), (12, 34))

    assert problems(mask, volume) == ["it continues beyond 6 of the 6 faces of the volume"]


def test_a_mask_of_noise_is_no_brighter_than_the_rest():
    """Networks find brains in noise, of any size."""
    figures = measured_mask(scan(BRAIN & False), BRAIN)[0]

    assert abs(figures.contrast) < 0.02
    assert mask_problems(figures, LIMITS) == [
        f"it is hardly brighter than the rest (contrast {figures.contrast:.2f})"
    ]


def test_a_mask_of_empty_slices_fails():
    """Deepbet draws a whole brain where only the lower half was scanned."""
    voxels = (50 * BRAIN + NOISE).astype(np.float32)
    voxels[:, :, 24:] = 0
    volume = Volume(name="P1 t1ce", voxels=voxels, affine=AFFINE)

    assert any("of it is empty background" in problem for problem in problems(BRAIN, volume))


def test_a_stripped_volume_scaled_to_mean_zero_passes():
    """Its background is as bright as its brain, and yet it is plain what is what."""
    voxels = np.where(BRAIN, NOISE - 0.5, 0).astype(np.float32)
    volume = Volume(name="P1 t1ce", voxels=voxels, affine=AFFINE)
    found = extract_brain(volume, BrainSettings())

    assert found.method == "stripped"
    np.testing.assert_array_equal(checked_brain(volume, found, LIMITS), BRAIN)


def test_no_extraction_passes_as_asked_for():
    """All voxels, because the settings say so."""
    found = extract_brain(scan(), BrainSettings(method="none"))

    assert checked_brain(scan(), found, LIMITS).all()


def flair(mask, affine=AFFINE):
    return scan(mask, affine=affine, name="P1 flair"), mask


def test_brains_of_one_patient_agree():
    """On grids of their own, a little turned: as two scans of one exam lie."""
    turned = rigid_transform((3, -4, 2), np.radians([5, 3, -4]), (0, 0, 0)) @ AFFINE

    assert pair_problems(scan(), BRAIN, *flair(BRAIN, turned), LIMITS) == []
    assert header_overlap(scan(), BRAIN, scan(), BRAIN) == 1


def test_brains_of_different_size_do_not_agree():
    """A mask that lost a lobe passes alone, not beside the other scan's."""
    small = ellipsoid((58, 70, 54))

    found = pair_problems(scan(), BRAIN, *flair(small), LIMITS)

    assert found == ["the brain has 1327 ml in CE-T1w and 921 in FLAIR"]


def test_brains_far_from_each_other_do_not_agree():
    """A header without its origin; or the scans of two patients, one lying elsewhere."""
    away = AFFINE.copy()
    away[2, 3] = 90

    found = pair_problems(scan(), BRAIN, *flair(BRAIN, away), LIMITS)

    assert len(found) == 1
    assert found[0].endswith("only by their headers")


def test_the_overlap_is_dice():
    """Of two masks on one grid it is known."""
    half = BRAIN.copy()
    half[:30] = False
    expected = 2 * half.sum() / (half.sum() + BRAIN.sum())

    assert header_overlap(scan(), BRAIN, *flair(half)) == pytest.approx(expected, abs=0.01)
    assert header_overlap(scan(), BRAIN & False, *flair(half)) == 0


@pytest.mark.parametrize(
    "change",
    [{"min_ml": 3000}, {"max_faces": 7}, {"max_hole_fraction": 2}, {"max_volume_ratio": 0.5}],
)
def test_limits_that_mean_nothing_are_refused(change):
    """A gate that lets nothing or everything through is a typing error."""
    with pytest.raises(ConfigError, match=next(iter(change))):
        GateSettings(**change)


def test_masks_of_a_real_patient_pass(real_data):
    """FLAIR's touches the uppermost slice; the headers of the two scans differ by 13 degrees."""
    folder, found = real_data / "mri" / "TCGA-FG-6692", []
    for sequence in ("t1c", "fla"):
        volume = read_volume(str(folder / f"TCGA-FG-6692_{sequence}.nii.gz"))
        mask = read_volume(str(folder / f"TCGA-FG-6692_hdbet_mask_native_{sequence}.nii.gz"))
        given = extract_brain(volume, BrainSettings(), manifest_mask=mask)
        found += [volume, checked_brain(volume, given, LIMITS)]

    assert pair_problems(*found, LIMITS) == []
    assert header_overlap(*found) == pytest.approx(0.8, abs=0.1)
