"""DICOM folders as hospitals export them: one whole series is read, anything else is named."""

import logging
import shutil

import nibabel as nib
import numpy as np
import pytest

from idhray.errors import ConfigError, MriError
from idhray.mri.dicom.series import read_series
from idhray.mri.nifti.settings import ReaderSettings
from tests.mri.dicom_file import dicom_bytes, numbers, series, short

SHAPE = (12, 10, 9)  # columns, rows, slices


@pytest.fixture
def voxels():
    return np.random.default_rng(0).integers(0, 1000, SHAPE).astype(np.int16)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "flair"


def test_a_series_is_read_in_order_of_its_positions(folder, voxels):
    """File names say nothing; DICOM counts to the left and back, we to the right and front."""
    series(folder, voxels)

    volume = read_series(str(folder), notes=[])

    np.testing.assert_array_equal(volume.voxels, voxels)
    np.testing.assert_allclose(volume.affine @ [0, 0, 0, 1], [60, 70, 10, 1])
    np.testing.assert_allclose(volume.affine @ [1, 2, 3, 1], [60 - 1.5, 70 - 4, 25, 1])
    assert (volume.name, nib.aff2axcodes(volume.affine)) == ("flair", ("L", "P", "S"))


@pytest.mark.parametrize(
    ("axes", "step", "codes"),
    [
        pytest.param((1, 0, 0, 0, 1, 0), (0, 0, 5), "LPS", id="axial"),
        pytest.param((1, 0, 0, 0, 1, 0), (0, 0, -5), "LPS", id="axial, written downwards"),
        pytest.param((0, 1, 0, 0, 0, -1), (5, 0, 0), "PIR", id="sagittal"),
        pytest.param((1, 0, 0, 0, 0, -1), (0, 5, 0), "LIP", id="coronal"),
        pytest.param((1, 0, 0, 0, 0.8, 0.6), (0, -3, 4), "LPS", id="oblique"),
    ],
)
def test_every_orientation_puts_each_voxel_in_its_place(folder, voxels, axes, step, codes):
    """The place of a voxel follows from the DICOM standard: C.7.6.2.1.1, equation."""
    voxels[:] = 0
    voxels[7, 3, 6] = 1
    series(folder, voxels, axes, step)

    volume = read_series(str(folder), notes=[])

    place = np.array([-60.0, -70, 10]) + 6 * np.array(step)
    place += 7 * 1.5 * np.array(axes[:3]) + 3 * 2 * np.array(axes[3:])
    where = np.unravel_index(volume.voxels.argmax(), SHAPE)
    found = volume.affine @ [*where, 1]
    np.testing.assert_allclose(found[:3], place * [-1, -1, 1], atol=1e-6)
    assert nib.aff2axcodes(volume.affine) == tuple(codes)


def test_each_slice_has_its_own_scaling(folder, voxels):
    """Philips scales slices one by one; one scaling for all would make stripes."""
    paths = series(folder, voxels)
    paths[4].write_bytes(
        dicom_bytes(
            voxels[:, :, 4].T.copy(),
            position=numbers((-60, -70, 30)),
            pixel_mm=numbers((2, 1.5)),
            image_uid="1.2.3.4.5",
            slope="2.5",
            intercept="10",
        )
    )

    volume = read_series(str(folder), notes=[])

    np.testing.assert_array_equal(volume.voxels[:, :, 4], voxels[:, :, 4] * 2.5 + 10)
    np.testing.assert_array_equal(volume.voxels[:, :, 5], voxels[:, :, 5])


def test_other_files_are_counted_and_ignored(folder, voxels):
    """Exports hold viewers, text and hidden files of the desktop."""
    series(folder, voxels)
    (folder / "README.txt").write_text("hello")
    (folder / "DICOMDIR").write_bytes(bytes(500))
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "below").mkdir()

    with pytest.warns(UserWarning, match="flair: 2 files are not DICOM images: ignored"):
        read_series(str(folder))


def test_a_copy_of_a_slice_is_dropped(folder, voxels):
    """Exported twice into one folder: the same images under other names."""
    paths, notes = series(folder, voxels), []
    shutil.copy(paths[2], folder / "copy")

    volume = read_series(str(folder), notes=notes)

    assert volume.voxels.shape == SHAPE
    assert notes == ["1 files are copies of others: ignored"]


def test_of_several_series_one_is_chosen_by_its_uid(folder, voxels):
    """The message lists what a person needs to choose, with echo times, without names."""
    series(folder, voxels)
    series(folder, voxels[::-1], series_uid="1.2.9", echo="4.6", image_type="DERIVED\\LOCALIZER")

    with pytest.raises(MriError, match="several series; choose one by its UID") as error:
        read_series(str(folder))
    assert "1.2.3.4 (9 x 10 x 12 TR 9000 TE 135)" in str(error.value)
    assert "1.2.9 (9 x 10 x 12 TR 9000 TE 4.6 localizer)" in str(error.value)
    with pytest.raises(MriError, match=r"no series 1\.2\.8; choose"):
        read_series(str(folder), "1.2.8")

    volume = read_series(str(folder), "1.2.9", name="P1 flair")
    np.testing.assert_array_equal(volume.voxels, voxels[::-1])
    assert volume.name == "P1 flair"


def doubled(folder, voxels, other, **changes):
    """A second volume at the same places under the same series UID."""
    series(folder, voxels, image_type="ORIGINAL\\PRIMARY\\M\\ND")
    second = folder.parent / "second"
    paths = series(second, other, image_type="ORIGINAL\\PRIMARY\\M\\RMS", **changes)
    for k, path in enumerate(paths):
        data = path.read_bytes().replace(b"1.2.3.4.", b"1.2.3.9.")  # other image UIDs
        (folder / f"second{k}.dcm").write_bytes(data)


def test_of_two_reconstructions_under_one_uid_one_is_chosen(folder, voxels):
    """The UID cannot tell them apart, and both were refused without a way to choose."""
    other = voxels + np.int16(5)
    other[:, :, 0] = voxels[:, :, 0]  # an empty slice is the same in both
    doubled(folder, voxels, other)

    with pytest.raises(
        MriError, match=r"18 slices at 9 places: .*ImageType is .*ND \(9\) or .*RMS"
    ):
        read_series(str(folder))
    for part, expected in (("ND", voxels), ("RMS", other)):
        settings = ReaderSettings(dicom_keep=(f"ImageType={part}",))
        np.testing.assert_array_equal(read_series(str(folder), settings=settings).voxels, expected)
    with pytest.raises(MriError, match="18 slices at 9 places"):
        read_series(str(folder), settings=ReaderSettings(dicom_keep=("EchoTime=9",)))


def test_copies_under_other_uids_are_dropped(folder, voxels):
    """A re-export gives each image another UID, and the pixels are the same."""
    doubled(folder, voxels, voxels)
    notes = []

    np.testing.assert_array_equal(read_series(str(folder), notes=notes).voxels, voxels)
    assert notes == ["9 images are copies of others under other UIDs: ignored"]


@pytest.mark.parametrize("choice", ["ImageType", "Nonsense=1", "EchoTime="])
def test_a_choice_that_means_nothing_is_refused(choice):
    """It would choose every image or none."""
    with pytest.raises(ConfigError, match="dicom_keep must be KEY=VALUE"):
        ReaderSettings(dicom_keep=(choice,))


def test_a_screenshot_in_the_series_is_ignored(folder, voxels):
    """A secondary capture has no position, and the series was refused for it."""
    series(folder, voxels)
    capture = dicom_bytes(
        voxels[:, :, 0].T.copy(),
        class_uid="1.2.840.10008.5.1.4.1.1.7",
        image_uid="1.2.3.9",
        position=None,
        axes=None,
        pixel_mm=None,
    )
    (folder / "z.dcm").write_bytes(capture)
    notes = []

    np.testing.assert_array_equal(read_series(str(folder), notes=notes).voxels, voxels)
    assert notes == ["1 secondary captures are ignored"]


def broken(**changes):
    """A change of the fifth of nine slices."""

    def apply(folder, voxels):
        paths = series(folder, voxels)
        values = {
            "position": numbers((-60, -70, 30)),
            "pixel_mm": numbers((2, 1.5)),
            "image_uid": "1.2.3.4.5",
            **changes,
        }
        pixels = values.pop("image", voxels[:, :, 4].T.copy())
        paths[4].write_bytes(dicom_bytes(pixels, **values))

    return apply


def without(*which):
    def apply(folder, voxels):
        paths = series(folder, voxels, nominal_mm="5")
        for k in which:
            paths[k].unlink()

    return apply


def whole(**changes):
    return lambda folder, voxels: series(folder, voxels, **changes)


def cut(folder, voxels):
    path = series(folder, voxels)[-1]
    path.write_bytes(path.read_bytes()[:-100])


TWO = np.zeros((20, 12), np.int16)
COLOR = np.zeros((10, 12, 3), np.uint8)
BROKEN = {
    "a missing slice": (without(4), "10.00 mm between slices 4 and 5 of 8, 5.00 between others"),
    "every second missing": (
        lambda folder, voxels: series(
            folder, np.dstack([voxels, voxels]), step=(0, 0, 10), nominal_mm="5"
        ),
        "10.00 mm apart, their headers say 5.00",
    ),
    "too few": (without(0, 1), "7 slices of 10 x 12, each side must have 8"),
    "a damaged last slice": (cut, "1 MR images cannot be read"),
    "two at one place": (broken(position=numbers((-60, -70, 25))), "9 slices at 8 places"),
    "a slice aside": (broken(position=numbers((-50, -70, 30))), "not in one line"),
    "another orientation": (broken(axes="0\\1\\0\\0\\0\\-1"), "several orientations"),
    "another matrix": (broken(image=np.zeros((12, 10), np.int16)), "several sizes"),
    "another pixel size": (broken(pixel_mm="1\\1"), "several sizes"),
    "another patient": (broken(patient_id="HOSPITAL-78"), "files of several patients"),
    "a multi-frame file": (broken(image=TWO, rows=short(10), frames="2"), "multi-frame"),
    "a screenshot": (broken(image=COLOR), "images in color"),
    "no position": (broken(position=None), "without position"),
    "no number in its position": (broken(position="a\\b\\c"), "without position"),
    "CT": (whole(modality="CT"), "modality CT, must be MR"),
    "no orientation": (whole(axes=(0, 0, 0, 0, 0, 0)), "not of length 1"),
    "axes not square": (whole(axes=(1, 0, 0, 0.6, 0.8, 0)), "not orthogonal"),
    "no series": (lambda folder, voxels: folder.mkdir(), "no DICOM image among its 0 files"),
    "nothing": (lambda folder, voxels: None, "no folder"),
    "empty scan": (lambda folder, voxels: series(folder, voxels * 0), "all voxels are 0"),
}


@pytest.mark.parametrize(("make", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_series_is_refused_in_one_line(folder, voxels, make, message, caplog):
    """SimpleITK reads most of these, and stretches or shuffles the brain. No name gets out."""
    make(folder, voxels)

    with caplog.at_level(logging.DEBUG), pytest.raises(MriError, match=message) as error:
        read_series(str(folder))

    assert str(error.value).startswith("flair: ")
    for text in (str(error.value), caplog.text):
        assert not any(word in text for word in ("Doe", "Jane", "HOSPITAL"))
    assert "\n" not in str(error.value)


def test_two_patients_in_a_folder_are_said_but_not_named(folder, voxels):
    """They have series of their own; the message must not tell who they are."""
    series(folder, voxels)
    series(folder, voxels, series_uid="1.2.9", patient_name="Roe^Richard")

    with pytest.raises(MriError, match=r"several series \(of 2 patients\)") as error:
        read_series(str(folder))
    assert "Roe" not in str(error.value)


def test_a_missing_last_slice_leaves_the_others_in_place(folder, voxels):
    """It cannot be seen; what is there must not move."""
    without(8)(folder, voxels)

    volume = read_series(str(folder), notes=[])

    np.testing.assert_array_equal(volume.voxels, voxels[:, :, :8])
    assert volume.spacing_mm == (1.5, 2, 5)


def test_another_nominal_spacing_is_noted(folder, voxels):
    """Positions are measured, the nominal spacing is what somebody typed."""
    notes = []
    series(folder, voxels, nominal_mm="4.5")

    read_series(str(folder), notes=notes)

    assert notes == ["slices lie 5.00 mm apart, their headers say 4.50"]


def test_a_series_has_at_most_so_many_voxels(folder, voxels):
    """The limit counts before any pixel is read."""
    series(folder, voxels)

    with pytest.raises(MriError, match="more than 1079 voxels"):
        read_series(str(folder), settings=ReaderSettings(max_voxels=1079))
