"""HDF5 coordinates of CLAM and TRIDENT."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from idhray.errors import SlideError, TableError
from idhray.exchange.coordinates import read_coordinates, write_coordinates
from tests.exchange.made import KIND, patch, rows_of

TRIDENT = {"patch_size": 256, "level0_magnification": 40, "target_magnification": 10}


def written(tmp_path, rows, tool):
    path = str(tmp_path / "A_patches.h5")
    index = write_coordinates(path, rows_of(tmp_path / "t", rows), KIND["patches"], "A", tool)
    return path, index


def made(tmp_path, coords, **attributes):
    path = str(tmp_path / "S_patches.h5")
    with h5py.File(path, "w") as h5:
        data = h5.create_dataset("coords", data=coords)
        for name, value in attributes.items():
            data.attrs[name] = value
    return path


def test_trident_reads_a_square_of_the_right_size(tmp_path):
    """It computes round(patch_size * level0 / target) itself, from magnifications at 10 / mpp."""
    path, index = written(tmp_path, [patch(1), patch(2)], "trident")
    with h5py.File(path) as h5:
        data, said = h5["coords"][:], dict(h5["coords"].attrs)

    assert data.tolist() == [[10, 7], [20, 7]]
    assert said["patch_size"] == 16
    assert said["patch_size_level0"] == 32
    assert said["target_magnification"] == 10.0
    assert 16 * said["level0_magnification"] / said["target_magnification"] == pytest.approx(32.5)
    assert said["name"] == "A.1-DX1"
    assert [row["file"] for row in index] == ["A#0", "A#1"]


def test_clam_reads_level_0_in_level_0_pixels(tmp_path):
    """Its patch_size is in pixels of patch_level."""
    path, _ = written(tmp_path, [patch(1)], "clam")
    with h5py.File(path) as h5:
        said = dict(h5["coords"].attrs)

    assert (said["patch_level"], said["patch_size"]) == (0, 32)


@pytest.mark.parametrize("tool", ["trident", "clam"])
def test_what_was_written_is_read(tmp_path, tool):
    """Both tools cut whole pixels only: squares of 32.5 px become 32."""
    path, _ = written(tmp_path, [patch(1), patch(3)], tool)
    found = read_coordinates(path)

    assert found.corners.tolist() == [[10, 7], [30, 7]]
    assert found.size_l0 == 32
    assert (found.slide, found.tool) == ("A.1-DX1", tool)


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        (TRIDENT, 1024),
        ({**TRIDENT, "patch_size_level0": 1016}, 1016),
        ({"patch_size": 256, "patch_level": 0}, 256),
        ({"patch_size": 256, "patch_level": 1, "downsample": (4.0001, 4.0)}, 1024.0256),
        ({"patch_size": 256, "patch_level": 0, "custom_downsample": 2}, 512),
    ],
)
def test_both_tools_say_the_size_in_their_own_way(tmp_path, attributes, size):
    """In level-0 pixels it is one number."""
    found = read_coordinates(made(tmp_path, np.array([[0, 0], [512, 8]]), **attributes))

    assert found.size_l0 == pytest.approx(size)
    assert found.patch_px == 256
    assert found.slide == "S"


@pytest.mark.parametrize(
    ("coords", "attributes", "reason"),
    [
        (np.zeros((2, 3), int), TRIDENT, r"\(n, 2\) is needed"),
        (np.zeros((0, 2), int), TRIDENT, "coords is empty"),
        (h5py.Empty("int64"), TRIDENT, "coords is empty"),
        (np.array([[1, 1]]), {**TRIDENT, "patch_size_level0": 0}, "patch_size_level0 is 0"),
        (np.array([[1, 1]]), {**TRIDENT, "name": np.bytes_(b"\xff\xfe")}, "no UTF-8 text"),
        (
            np.array([[1, 1]]),
            {**TRIDENT, "name": np.array(b"\xff", h5py.string_dtype())},
            "no UTF-8 text",
        ),
        (
            np.array([[1, 1]]),
            {"patch_size": 256, "patch_level": [0, 1], "downsample": 1.0},
            r"patch_level is \[0, 1\]",
        ),
        (np.array([[0.5, 1.0]]), TRIDENT, "whole level-0 pixels"),
        (np.array([[np.nan, 1.0]]), TRIDENT, "whole level-0 pixels"),
        (np.array([[-1, 1]]), TRIDENT, "corner is at -1"),
        (np.array([[1, 1]]), {}, "patch_size is None"),
        (np.array([[1, 1]]), {"patch_size": 256}, "neither patch_level"),
        (np.array([[1, 1]]), {"patch_size": 256, "patch_level": 2}, "no `downsample`"),
        (np.array([[1, 1]]), {"patch_size": 256, "patch_level": "two"}, "no `downsample`"),
        (np.array([[1, 1]]), {**TRIDENT, "target_magnification": 0}, "positive number"),
        (np.array([[1, 1]]), {**TRIDENT, "patch_size": "big"}, "positive number"),
        (
            np.array([[1, 1]]),
            {"patch_size": 256, "patch_level": 1, "downsample": (4.0, 2.0)},
            "squares",
        ),
    ],
)
def test_files_that_do_not_say_where_or_how_large_are_refused(tmp_path, coords, attributes, reason):
    """A wrong size would cut other tissue than the tool did."""
    with pytest.raises(SlideError, match=reason):
        read_coordinates(made(tmp_path, coords, **attributes))


def test_what_is_no_hdf5_file_is_refused(tmp_path):
    """Missing, text, cut off, without coords."""
    path = tmp_path / "x.h5"
    with pytest.raises(SlideError, match="not an HDF5 file"):
        read_coordinates(str(path))
    path.write_text("text")
    with pytest.raises(SlideError, match="not an HDF5 file"):
        read_coordinates(str(path))
    data = Path(made(tmp_path, np.array([[1, 1]]), **TRIDENT)).read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(SlideError, match="HDF5"):
        read_coordinates(str(path))
    with h5py.File(path, "w") as h5:
        h5["features"] = np.zeros(3)
    with pytest.raises(SlideError, match="no data set `coords`"):
        read_coordinates(str(path))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([patch(0, x_l0=None)], "is not known"),
        ([patch(0, mpp=None)], "is not known"),
        ([patch(0, height_l0=40.0)], "are not square"),
        ([patch(0), patch(1, size_l0=64.0)], "images of 2 sizes"),
    ],
)
def test_images_that_coordinates_cannot_say_are_refused(tmp_path, rows, reason):
    """One size and one scale stand for all of a slide."""
    with pytest.raises(TableError, match=reason):
        written(tmp_path, rows, "trident")
