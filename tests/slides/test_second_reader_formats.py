"""CZI and OME-Zarr through the second reader: made files, the pixels that were written."""

import json
from pathlib import Path

import numpy as np
import pytest

from idhray.errors import SlideError
from idhray.slide_cache.source import file_to_open, slide_files
from idhray.slides import second_reader
from idhray.slides.direct import open_slide
from tests.slides.made_tiff import tissue

pytestmark = pytest.mark.skipif(
    not second_reader.is_installed(), reason="the optional package fastslide is not installed"
)

MPP = 0.5
CHUNK_PX = 64
AXES = [
    {"name": "c", "type": "channel"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]


def write_ome_zarr(folder: Path, image: np.ndarray, *factors: int) -> str:
    """An uncompressed OME-Zarr 0.5 with a level for each factor."""
    levels = []
    for number, factor in enumerate(factors):
        scale = {"type": "scale", "scale": [1, MPP * factor, MPP * factor]}
        levels.append({"path": str(number), "coordinateTransformations": [scale]})
        _write_array(folder / str(number), image[::factor, ::factor].transpose(2, 0, 1))
    ome = {"version": "0.5", "multiscales": [{"axes": AXES, "datasets": levels, "name": "a"}]}
    group = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": ome}}
    (folder / "zarr.json").write_text(json.dumps(group))
    return str(folder)


def _write_array(folder: Path, planes: np.ndarray) -> None:
    chunk = (1, CHUNK_PX, CHUNK_PX)
    meta = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": planes.shape,
        "data_type": "uint8",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": [{"name": "bytes"}],
        "attributes": {},
    }
    folder.mkdir(parents=True)
    (folder / "zarr.json").write_text(json.dumps(meta))
    for plane in range(planes.shape[0]):
        for top in range(0, planes.shape[1], CHUNK_PX):
            for left in range(0, planes.shape[2], CHUNK_PX):
                place = folder / "c" / str(plane) / str(top // CHUNK_PX) / str(left // CHUNK_PX)
                place.parent.mkdir(parents=True, exist_ok=True)
                part = planes[plane, top : top + CHUNK_PX, left : left + CHUNK_PX]
                place.write_bytes(np.ascontiguousarray(part).tobytes())


def write_czi(path: Path, image: np.ndarray) -> str:
    """A mosaic of four parts, as a scanner writes it."""
    czi = pytest.importorskip("pylibCZIrw.czi", reason="pylibCZIrw writes CZI; not installed")
    middle = image.shape[0] // 2
    with czi.create_czi(str(path)) as file:
        for y in (0, middle):
            for x in (0, middle):
                part = image[y : y + middle, x : x + middle, ::-1]
                file.write(data=np.ascontiguousarray(part), location=(x, y), plane={"C": 0})
        file.write_metadata(document_name="a", scale_x=MPP * 1e-6, scale_y=MPP * 1e-6)
    return str(path)


@pytest.mark.parametrize("kind", ["ome-zarr", "czi"])
def test_the_second_reader_shows_what_was_written(tmp_path, kind):
    image = tissue(256, 256)
    path = (
        write_czi(tmp_path / "a.czi", image)
        if kind == "czi"
        else write_ome_zarr(tmp_path / "a.ome.zarr", image, 1, 2)
    )

    with open_slide(file_to_open(path), second_reader="unopened") as slide:
        assert (slide.size_l0, slide.mpp) == ((256, 256), MPP)
        assert slide.level_scale(2 * MPP) == (2 if kind == "czi" else 1)
        np.testing.assert_array_equal(
            slide.region(50, 70, (120, 90), MPP), image[70:160, 50:170], strict=True
        )
        beyond = slide.region(-20, 200, (64, 100), MPP)
    assert (beyond[:, :20] == 255).all()
    assert (beyond[56:] == 255).all()
    np.testing.assert_array_equal(beyond[:56, 20:], image[200:, :44])


def test_an_ome_zarr_is_all_files_of_its_folder(tmp_path):
    """A change of any of them is a change of the slide; without the reader it is refused."""
    path = file_to_open(write_ome_zarr(tmp_path / "a.ome.zarr", tissue(128, 128), 1))

    assert len(slide_files(path)) == 2 + 3 * 4
    with pytest.raises(SlideError, match="is an OME-Zarr, which OpenSlide does not read"):
        open_slide(path)
