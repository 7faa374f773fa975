"""Slices show the right side, the right place and the right brain, whatever the scan's axes."""

from dataclasses import replace

import numpy as np
import pytest

from idhray.errors import MriError
from idhray.mri.settings import SliceSettings
from idhray.mri.slices import Slice, cut_slices, evenly_spread, slice_grid
from idhray.mri.transform import rigid_transform, transform_points
from idhray.mri.volume import Volume, canonical, canonical_mask
from tests.mri.head import (
    FLAIR,
    LESION_MM,
    LESION_RADII_MM,
    T1CE,
    VENTRICLE,
    ellipsoid,
    grid,
    reordered,
    scan,
)

SETTINGS = SliceSettings(size_px=120, fov_mm=240.0, min_brain_fraction=0.02)
SHAPE = (84, 92, 40)
STAY = np.eye(4)


def unit(volume, values):
    """0..1, as `windowed` gives it."""
    return Volume(name=volume.name, voxels=volume.voxels / max(values), affine=volume.affine)


def heads(spacing=(2, 2, 4), head=None, tilt=(0, 0, 0)):
    """CE-T1w, its brain, FLAIR on a grid of its own."""
    t1ce, brain = scan(T1CE, grid(spacing, SHAPE, "LAS", tilt), SHAPE, name="t1ce")
    flair, _ = scan(FLAIR, grid((2, 2, 3), (80, 90, 60), "RPS", (4, 3, 0)), (80, 90, 60), head)
    return unit(t1ce, T1CE), brain, unit(flair, FLAIR)


def middle(found, z_mm=0.0):
    return min(found.slices, key=lambda cut: abs(cut.z_mm - z_mm))


def test_left_is_on_the_right_and_front_is_up():
    """As radiologists see it; the lesion of the made-up head is right, in front and above."""
    found = cut_slices(*heads(), STAY, SETTINGS)
    image = middle(found, LESION_MM[2]).image
    bright = np.argwhere(image[..., 1] > 200).mean(axis=0)
    center = (SETTINGS.size_px - 1) / 2

    assert bright == pytest.approx([center - LESION_MM[1] / 2, center - LESION_MM[0] / 2], abs=1.0)


@pytest.mark.parametrize("axes", ["RAS", "LPS", "RAI", "PSR", "SLA", "ILP"])
def test_the_order_of_axes_changes_nothing(axes):
    """Stored as sagittal, coronal or upside down: the images are the same."""
    t1ce, brain, flair = heads()
    expected = cut_slices(t1ce, brain, flair, STAY, SETTINGS)
    found = cut_slices(*reordered(t1ce, brain, axes), flair, STAY, SETTINGS)

    for cut, same in zip(found.slices, expected.slices, strict=True):
        assert cut.z_mm == pytest.approx(same.z_mm)
        assert np.abs(cut.image.astype(int) - same.image).max() <= 1


def test_channels_are_t1ce_flair_and_nothing():
    """Park et al. 2021: the third is the null image."""
    t1ce, brain, flair = heads()
    image = middle(cut_slices(t1ce, brain, flair, STAY, SETTINGS)).image
    swapped = middle(cut_slices(flair, flair.voxels > 0, t1ce, STAY, SETTINGS)).image

    assert image.shape == (120, 120, 3)
    assert image.dtype == np.uint8
    assert (image[..., 2] == 0).all()
    # Gray matter at the rim is darker than white matter in CE-T1w and brighter in FLAIR.
    assert image[60, 60 - 28, 0] < image[60, 60 - 21, 0]
    assert image[60, 60 - 28, 1] > image[60, 60 - 21, 1]
    assert swapped[60, 60 - 28, 0] > swapped[60, 60 - 21, 0]


def test_a_moved_flair_is_put_back():
    """The transform of registration is used in its own direction, not backwards."""
    head = rigid_transform((12, -9, 6), np.radians((5, -4, 8)), (0, 0, 0))
    still = cut_slices(*heads(), STAY, SETTINGS)
    put_back = cut_slices(*heads(head=head), np.linalg.inv(head), SETTINGS)
    left = cut_slices(*heads(head=head), STAY, SETTINGS)

    def difference(found):
        pairs = [
            (a.image[..., 1], b.image[..., 1])
            for a, b in zip(found.slices, still.slices, strict=True)
        ]
        return np.mean([np.abs(a.astype(int) - b).mean() for a, b in pairs])

    assert difference(put_back) < 0.3 * difference(left)


def test_there_is_one_slice_for_each_of_the_scan():
    """From the lowest with brain to the highest, at the heights where they were acquired."""
    t1ce, brain, flair = heads(spacing=(2, 2, 5.5))
    found = cut_slices(t1ce, brain, flair, STAY, replace(SETTINGS, min_brain_fraction=0.0))
    acquired = transform_points(t1ce.affine, np.argwhere(brain).T)[2]

    assert found.planes == len(np.unique(acquired.round(3)))
    assert found.spacing_mm == pytest.approx(5.5)
    assert [cut.z_mm for cut in found.slices] == pytest.approx(np.unique(acquired.round(3)))


def test_another_spacing_is_had_by_asking():
    """Over the same height."""
    found = cut_slices(*heads(), STAY, replace(SETTINGS, slice_spacing_mm=2.0))
    heights = np.array([cut.z_mm for cut in found.slices])

    assert np.diff(heights) == pytest.approx(2.0)
    assert heights.mean() == pytest.approx(0, abs=1.1)
    assert 2 * found.planes == pytest.approx(110, abs=4)


def test_slices_are_cut_along_the_scan_not_along_the_scanner():
    """A tilted CE-T1w keeps its own slices; z is that of their centers."""
    found = cut_slices(*heads(tilt=(10, 0, 0)), STAY, SETTINGS)
    steps = np.diff([cut.z_mm for cut in found.slices])

    assert found.spacing_mm == pytest.approx(4)
    assert steps == pytest.approx(4 * np.cos(np.radians(10)))


def test_the_brain_fraction_is_that_of_the_image():
    """An ellipse of 62 x 78 mm in 240 x 240."""
    found = cut_slices(*heads(), STAY, SETTINGS)

    assert middle(found).brain_fraction == pytest.approx(np.pi * 62 * 78 / 240**2, rel=0.02)
    assert all(cut.brain_fraction >= 0.02 for cut in found.slices)
    assert found.with_brain == len(found.slices) < found.planes


def test_nothing_shows_outside_the_brain():
    """In both channels: what lies outside is what stripping left over."""
    t1ce, brain, flair = heads()
    rim = Volume(
        name="t1ce", voxels=np.where(brain, t1ce.voxels, 1.0).astype("f4"), affine=t1ce.affine
    )
    bright = Volume(name="flair", voxels=np.maximum(flair.voxels, 0.5), affine=flair.affine)
    image = middle(cut_slices(rim, brain, bright, STAY, SETTINGS)).image
    y, x = (np.indices((120, 120)) - 59.5) * 2
    outside = (x / 64) ** 2 + (y / 80) ** 2 > 1

    assert (image[outside] == 0).all()
    assert image[60, 60].min() == 0 < image[60, 60, 1]


def test_slices_that_the_flair_does_not_reach_are_left_out():
    """An empty second channel would be taught as a feature of the brain."""
    t1ce, brain, flair = heads()
    half = Volume(name="flair", voxels=flair.voxels[:, :, :30].copy(), affine=flair.affine)
    whole = cut_slices(t1ce, brain, flair, STAY, SETTINGS)
    found = cut_slices(t1ce, brain, half, STAY, SETTINGS)

    assert whole.covered == whole.with_brain
    assert found.with_brain == whole.with_brain
    assert len(found.slices) == found.covered == pytest.approx(whole.covered / 2, abs=2)
    assert max(cut.z_mm for cut in found.slices) < 5


def test_only_slices_with_tumor_are_kept_where_its_mask_is_given():
    """The lesion reaches 14 mm up and down from 20."""
    t1ce, brain, flair = heads()
    points = transform_points(t1ce.affine, np.indices(brain.shape).reshape(3, -1))
    tumor = ellipsoid(points, LESION_MM, LESION_RADII_MM).reshape(brain.shape)
    found = cut_slices(t1ce, brain, flair, STAY, SETTINGS, tumor=tumor)

    assert found.with_tumor == len(found.slices) == 6
    assert [cut.z_mm for cut in found.slices] == pytest.approx([10, 14, 18, 22, 26, 30])


def test_the_cap_is_spread_and_its_loss_recorded():
    """The outermost stay; what was there before the cap is said."""
    whole = cut_slices(*heads(), STAY, SETTINGS)
    found = cut_slices(*heads(), STAY, replace(SETTINGS, max_slices=5))
    heights = [cut.z_mm for cut in found.slices]

    assert found.with_tumor == len(whole.slices) > 5
    assert (heights[0], heights[-1]) == (whole.slices[0].z_mm, whole.slices[-1].z_mm)
    assert np.ptp(np.diff(heights)) <= 4.1


@pytest.mark.parametrize(
    ("there", "most", "kept"),
    [(5, None, [0, 1, 2, 3, 4]), (5, 9, [0, 1, 2, 3, 4]), (5, 1, [2]), (5, 2, [0, 4]), (0, 3, [])],
)
def test_a_spread(there, most, kept):
    """No slice twice, none where there are none."""
    black = np.zeros((1, 1, 3), dtype=np.uint8)
    slices = [
        Slice(z_mm=k, brain_fraction=1.0, tumor_fraction=None, image=black) for k in range(there)
    ]

    assert [cut.z_mm for cut in evenly_spread(slices, most)] == kept


def test_pixels_have_the_size_that_the_settings_say():
    """And the middle of the brain is in the middle of the image."""
    t1ce, brain, _ = heads()
    where = slice_grid(canonical(t1ce), canonical_mask(brain, t1ce), SETTINGS)
    corners = transform_points(where.affine, np.array([[0, 119, 0], [0, 0, 119], [0, 0, 0]]))

    assert corners[:, 1] - corners[:, 0] == pytest.approx([0, -238, 0])
    assert corners[:, 2] - corners[:, 0] == pytest.approx([-238, 0, 0])
    assert (corners[:2, 1] + corners[:2, 2]) / 2 == pytest.approx([0, 0], abs=1.1)


def test_a_brain_beyond_the_field_of_view_is_refused():
    """A mask that took the neck, or a field too small: the brain would be cut off."""
    with pytest.raises(MriError, match=r"t1ce: the brain is 12\d x 15\d mm, .* view of 150"):
        cut_slices(*heads(), STAY, replace(SETTINGS, fov_mm=150.0))


def test_thick_sagittal_slices_are_refused():
    """Axial images across them would have five columns in three centimeters."""
    t1ce, brain, flair = heads(spacing=(6, 2, 2))

    with pytest.raises(MriError, match=r"t1ce: .* pixels of 6.0 x 2.0 mm"):
        cut_slices(*reordered(t1ce, brain, "ASL"), flair, STAY, SETTINGS)


def test_a_tumor_mask_of_another_grid_is_refused():
    """Cut to fit, it would show the wrong slices."""
    t1ce, brain, flair = heads()

    with pytest.raises(MriError, match="t1ce: its mask is"):
        cut_slices(t1ce, brain, flair, STAY, SETTINGS, tumor=brain[:-1])


def test_ventricles_are_dark_in_both():
    """The made-up head is what these tests think it is."""
    image = middle(cut_slices(*heads(), STAY, SETTINGS), 5.0).image
    dark = image[60 - 4, 60 + 5]

    assert dark[0] / 255 == pytest.approx(T1CE[VENTRICLE] / max(T1CE), abs=0.05)
    assert dark[1] / 255 == pytest.approx(FLAIR[VENTRICLE] / max(FLAIR), abs=0.05)
