"""The made-up scans show the truth: anatomy, motion, sides, and every feature of the tumor."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from idhray.phantom.mri.frequencies import FEATURES
from idhray.phantom.mri.lesion import PLACES, draw_lesion
from idhray.phantom.mri.patients import mri_patients
from idhray.phantom.mri.render import ORIENTATIONS, render_mri
from idhray.phantom.mri.scan import PhantomVolume
from tests.phantom.mri_slice import QUICK, flair_on_t1ce, made_mm, patients_of_all_kinds, upright

PATIENT = replace(
    mri_patients(QUICK, seed=1)[0],
    location="frontal_insula",
    enhancement="rim",
    necrosis="yes",
    surrounding="tumor",
    margin="clear",
    side="left",
    age=50,
)


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def scans(**features):
    """CE-T1w and FLAIR per median of the brain, distance from the tumor's middle, and masks."""
    made = render_mri(replace(PATIENT, **features), QUICK, seed=1)
    t1ce, affine = upright(made.t1ce)
    flair = flair_on_t1ce(made, t1ce.shape, affine)
    tumor, brain = (upright(m)[0] > 0 for m in (made.tumour_mask, made.brain_mask))
    places = np.argwhere(tumor)
    grids = np.indices(t1ce.shape) - places.mean(axis=0)[:, None, None, None]
    away = np.sqrt((grids**2).sum(axis=0)) * made_mm(affine)
    return t1ce / np.median(t1ce[brain]), flair / np.median(flair[brain]), away, tumor, brain


@pytest.fixture(scope="module")
def made():
    return render_mri(PATIENT, QUICK, seed=1)


def test_the_grids_differ_in_the_cohort():
    """Whoever assumes one grid or one order of axes must fail on a phantom."""
    pairs = [render_mri(p, QUICK, seed=9) for p in mri_patients(replace(QUICK, tumours=6), seed=9)]
    orders = {
        "".join(np.array(["R", "A", "S"])[np.abs(v.affine[:3, :3]).argmax(axis=0)])
        + str(np.sign(np.diag(v.affine[:3, :3])))
        for pair in pairs
        for v in (pair.t1ce, pair.flair)
    }

    assert len(orders) == len(ORIENTATIONS)
    for pair in pairs:
        assert pair.flair.voxels.shape != pair.t1ce.voxels.shape
        # Slices of 4.5 mm, oblique to those of the other scan.
        assert np.linalg.norm(pair.flair.affine[:3, 2]) == pytest.approx(4.5)
        assert np.abs(pair.flair.affine[:3, :3]).astype(bool).sum() == 9


def test_the_recorded_motion_is_that_of_the_volumes():
    """Applied, it lays FLAIR's brain over that of CE-T1w; headers alone do not."""
    settings = replace(QUICK, motion_mm=14, motion_degrees=12)
    for patient in mri_patients(settings, seed=3)[:3]:
        made = render_mri(patient, settings, seed=3)
        brain, affine = upright(made.brain_mask)
        mask = PhantomVolume((made.flair.voxels > 0).astype(np.uint8), made.flair.affine)
        masked = replace(made, flair=mask)
        by_truth = flair_on_t1ce(masked, brain.shape, affine) > 0.5
        by_header = flair_on_t1ce(masked, brain.shape, affine, motion=np.eye(4)) > 0.5
        matrix = np.reshape(made.truth["flair_from_t1ce"], (4, 4))

        assert dice(by_truth, brain > 0) > 0.97
        assert dice(by_header, brain > 0) < dice(by_truth, brain > 0) - 0.02
        assert np.array_equal(matrix, made.flair_from_t1ce)
        turn = np.degrees(np.arccos((np.trace(matrix[:3, :3]) - 1) / 2))
        assert turn == pytest.approx(made.truth["motion_degrees"])


def test_without_motion_the_headers_are_right():
    """For whoever wants to test slicing without registration."""
    still = render_mri(PATIENT, replace(QUICK, motion_mm=0, motion_degrees=0), seed=1)

    assert still.flair_from_t1ce == pytest.approx(np.eye(4))


@pytest.mark.parametrize("side", ["left", "right"])
def test_left_is_the_patients_left(side):
    """In world coordinates x grows to the right, whatever the order of the voxels."""
    for seed in range(3):  # three grids
        made = render_mri(replace(PATIENT, side=side), QUICK, seed=seed)
        x = [
            (mask.affine @ [*np.argwhere(mask.voxels).mean(axis=0), 1])[0]
            for mask in (made.tumour_mask, made.brain_mask)
        ]

        assert (x[0] > x[1] + 10) == (side == "right")
        assert abs(x[0] - x[1]) > 10


@pytest.mark.parametrize("location", PLACES)
def test_the_tumor_lies_where_the_truth_says(location):
    """Frontal and insular tumors before the middle of the brain, others behind it, or deep."""
    for seed in range(4):
        made = render_mri(replace(PATIENT, location=location), QUICK, seed=seed)
        tumor, brain = (
            np.argwhere(upright(mask)[0]) * QUICK.t1ce_mm
            for mask in (made.tumour_mask, made.brain_mask)
        )
        middle = (brain.min(axis=0) + brain.max(axis=0)) / 2
        x, y, _ = tumor.mean(axis=0) - middle

        assert (y > 3) == (location == "frontal_insula")
        assert (np.hypot(x, y + 15) < 24) == (location == "thalamus_brainstem")


def test_tissues_are_ordered_as_on_real_scans():
    """CE-T1w: white over gray matter over fluid. FLAIR: gray over white, fluid darkest."""
    settings = replace(QUICK, tumours=0, normals=1, noise=0.0, t1ce_mm=2, flair_mm=2)
    settings = replace(settings, flair_slice_mm=2, motion_mm=0, motion_degrees=0)
    made = render_mri(mri_patients(settings, seed=1)[0], settings, seed=1)
    t1ce, affine = upright(made.t1ce)
    flair = flair_on_t1ce(made, t1ce.shape, affine)
    brain = upright(made.brain_mask)[0] > 0
    deep = ndimage.binary_erosion(brain, iterations=4)
    t1ce, flair = t1ce / np.median(t1ce[brain]), flair / np.median(flair[brain])
    white = brain & (t1ce > 1.0) & (t1ce < 1.3)
    gray = brain & (t1ce > 0.68) & (t1ce < 0.8)
    fluid = deep & (t1ce < 0.4)

    assert white.sum() > 20_000
    assert gray.sum() > 10_000
    assert fluid.sum() > 500
    # Most gray voxels share in white matter or fluid: of 2 mm, the cortex is thin.
    assert np.percentile(flair[gray], 75) > 1.04 * np.median(flair[white])
    assert np.median(flair[white]) > 2 * np.median(flair[fluid])


def test_a_ring_is_bright_around_a_dark_core():
    """CE-T1w from the middle outwards: dark, bright, duller than brain."""
    t1ce, flair, away, *_ = scans()
    core, ring = np.median(t1ce[away < 8]), np.percentile(t1ce[(away > 12) & (away < 21)], 90)

    assert core < 0.5
    assert ring > 1.6
    assert np.median(flair[away < 8]) > 1.2  # necrosis is no fluid


def test_a_node_is_bright_throughout():
    """Unless there is necrosis in it."""
    solid, _, away, *_ = scans(enhancement="nodular", necrosis="no")
    holed = scans(enhancement="nodular", necrosis="yes")[0]

    assert np.percentile(solid[away < 8], 20) > 1.5
    assert holed[away < 10].min() < 0.5


def test_patches_are_faint_and_partial():
    """Some of the tumor enhances, and less than a node does."""
    t1ce, _, away, tumor, _ = scans(enhancement="patch", necrosis="no")
    within = t1ce[away < 18]

    assert 0.03 < (within > 1.2).mean() < 0.5
    assert np.percentile(within, 99) < 1.9
    assert np.median(t1ce[tumor]) < 0.95


def test_a_patchy_tumor_with_necrosis_has_a_dark_pocket():
    """Necrosis is to be seen without a ring too."""
    t1ce, flair, away, *_ = scans(enhancement="patch", necrosis="yes")
    without = scans(enhancement="patch", necrosis="no")[0]
    dark = (t1ce < 0.5) & (flair > 1) & (away < 20)

    assert dark.sum() * QUICK.t1ce_mm**3 > 500
    assert ((without < 0.5) & (flair > 1) & (away < 20)).sum() < 0.1 * dark.sum()


def test_edema_is_larger_and_spares_the_cortex():
    """Fingers in white matter, against a compact tumor."""
    *_, compact, brain = scans()
    *_, fingers, _ = scans(surrounding="edema")
    cortex = brain & ~ndimage.binary_erosion(brain, iterations=2)
    share = [(mask & cortex).sum() / mask.sum() for mask in (compact, fingers)]

    assert fingers.sum() > 1.2 * compact.sum()
    assert share[1] < share[0]


def test_an_indistinct_margin_fades():
    """Away from the middle FLAIR falls over more millimeters."""
    widths = {}
    for margin in ("clear", "indistinct"):
        _, flair, away, _, brain = scans(margin=margin, enhancement="nodular", necrosis="no")
        inner = ndimage.binary_erosion(brain, iterations=3)
        shells = [flair[inner & (away > r) & (away <= r + 2)].mean() for r in range(8, 44, 2)]
        level = (np.array(shells) - shells[-1]) / (shells[0] - shells[-1])
        widths[margin] = 2 * ((level > 0.2) & (level < 0.8)).sum()

    assert widths["indistinct"] >= 2 * widths["clear"]


def test_the_tumor_mask_is_bright_on_flair():
    """Every kind of tumor; it lies in the brain."""
    for patient in patients_of_all_kinds(6, seed=2):
        made = render_mri(patient, QUICK, seed=2)
        brain, affine = upright(made.brain_mask)
        tumor = upright(made.tumour_mask)[0] > 0
        flair = flair_on_t1ce(made, brain.shape, affine)
        rest = (brain > 0) & ~tumor

        assert np.median(flair[tumor]) > 1.5 * np.median(flair[rest])
        assert (tumor & (brain > 0)).sum() > 0.98 * tumor.sum()
        assert made.truth["tumour_ml"] == pytest.approx(tumor.sum() * 27 / 1000)


def test_a_normal_brain_has_no_tumor(made):
    """Its mask is empty, and no FLAIR is as bright as a tumor's."""
    patient = mri_patients(QUICK, seed=1)[-1]
    normal = render_mri(patient, QUICK, seed=1)
    bright = [
        (p.flair.voxels > 1.6 * np.median(p.flair.voxels[p.flair.voxels > 0])).sum()
        for p in (normal, made)
    ]

    assert not normal.tumour_mask.voxels.any()
    assert normal.truth["core_mm"] is None
    assert bright[0] < 0.03 * bright[1]


def test_the_class_enters_by_the_features_alone():
    """At effect 0 nothing but the label may differ between classes."""
    other = {"mutant": "wildtype", "wildtype": "mutant"}[PATIENT.idh]
    twins = [render_mri(replace(PATIENT, idh=idh), QUICK, seed=1) for idh in (PATIENT.idh, other)]

    assert np.array_equal(twins[0].t1ce.voxels, twins[1].t1ce.voxels)
    assert np.array_equal(twins[0].flair.voxels, twins[1].flair.voxels)


def test_a_head_has_a_scalp_and_a_dark_skull(made):
    """What brain extraction goes by; the brain in it is the same as without."""
    head = render_mri(PATIENT, replace(QUICK, skull=True), seed=1)
    brain = made.brain_mask.voxels > 0
    t1ce = head.t1ce.voxels / np.median(head.t1ce.voxels[brain])
    away = ndimage.distance_transform_edt(~brain) * QUICK.t1ce_mm
    bone = np.median(t1ce[(away > 4) & (away < 7)])
    scalp = np.percentile(t1ce[(away > 9) & (away < 15)], 75)

    assert np.array_equal(head.brain_mask.voxels, made.brain_mask.voxels)
    assert bone < 0.6
    assert scalp > 1.2
    assert not made.t1ce.voxels[~brain].any()


def test_size_and_place_do_not_depend_on_the_class():
    """A tumor's radius must not give the class away beyond its features."""
    random = [np.random.default_rng(0) for _ in range(2)]
    lesions = [
        draw_lesion(r, replace(PATIENT, idh=idh))
        for r, idh in zip(random, ("mutant", "wildtype"), strict=True)
    ]

    assert lesions[0] == lesions[1]


def test_the_truth_is_a_plain_row(made):
    """It becomes a row of a table: the features, sizes and motion, no arrays."""
    kinds = {type(value) for value in made.truth.values()}

    assert set(FEATURES) < set(made.truth)
    assert kinds <= {str, int, float, list}
    assert 1200 < made.truth["brain_ml"] < 1900
