"""Zips for StyleGAN."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from idhray.errors import TableError
from idhray.exchange import stylegan
from idhray.images import encode
from tests.exchange.made import KIND, patch, picture, pixels, rows_of


def written(tmp_path, rows, name="s.zip"):
    path = tmp_path / name
    stylegan.write_zip(str(path), rows_of(tmp_path / "t", rows), KIND["patches"], "s.zip", None)
    return path


def test_images_are_stored_pngs_and_labels_stand_in_dataset_json(tmp_path):
    """Wildtype 0, mutant 1, as everywhere in the package."""
    rows = [patch(0), patch(1, idh="wildtype"), patch(2)]
    with zipfile.ZipFile(written(tmp_path, rows)) as archive:
        infos = archive.infolist()
        labels = json.loads(archive.read("dataset.json"))["labels"]
        images = {name: archive.read(name) for name in archive.namelist() if "png" in name}

    assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}
    assert [label for _, label in labels] == [1, 0, 1]
    assert [name for name, _ in labels] == sorted(images)
    for row, data in zip(rows, images.values(), strict=True):
        assert (pixels(data) == pixels(row["image"]["bytes"])).all()
        with Image.open(io.BytesIO(data)) as image:
            assert (image.format, image.mode) == ("PNG", "RGB")
        assert len(data) > 16 * 16 * 3  # PNG's own compression is off, too


def test_the_same_rows_make_the_same_bytes(tmp_path):
    """Zip members carry times; ours carry none."""
    rows = [patch(0), patch(1)]

    assert (
        written(tmp_path, rows, "a.zip").read_bytes()
        == written(tmp_path, rows, "b.zip").read_bytes()
    )


def test_patients_and_splits_travel_in_the_zip(tmp_path):
    """A GAN trained on a zip without them could not say whom it saw."""
    path = written(tmp_path, [patch(0), patch(1)])
    listed = list(stylegan.READER.listing(str(path)))

    assert [sample.metadata["patient"] for sample in listed] == ["A/1", "A/1"]
    assert listed[1].metadata["split"] == "train"
    assert (listed[1].metadata["x_l0"], listed[1].metadata["size_l0"]) == (10, 32.5)


def test_no_labels_at_all_are_null(tmp_path):
    """The format's word for an unlabeled set."""
    path = written(tmp_path, [patch(0, idh=None), patch(2, idh=None)])
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("dataset.json")) == {"labels": None}


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        (((16, 16), (32, 32)), "32 px among images of 16"),
        (((16, 8),), "8 x 16 px"),
        (((12, 12),), "power of two"),
    ],
)
def test_sizes_that_stylegan_cannot_take_are_refused(tmp_path, shapes, reason):
    """Its trainer would stop with less of a reason."""
    images = [np.zeros((*shape, 3), np.uint8) for shape in shapes]
    rows = [patch(n, image={"bytes": encode(image), "path": ""}) for n, image in enumerate(images)]

    with pytest.raises(TableError, match=reason):
        written(tmp_path, rows)
    assert list(tmp_path.glob("*.zip")) == []


def test_images_of_other_sides_are_resized_on_request(tmp_path):
    """224 px is common, and no power of two; shrinking is by area."""
    image = np.kron(np.arange(36, dtype=np.uint8).reshape(6, 6), np.ones((4, 4), np.uint8))
    row = patch(0, image={"bytes": encode(image), "path": ""})
    path = str(tmp_path / "s.zip")
    rows = rows_of(tmp_path / "t", [row])
    stylegan.write_zip(path, rows, KIND["patches"], "s.zip", side_px=8)
    with zipfile.ZipFile(path) as archive:
        found = pixels(archive.read(archive.namelist()[0]))

    assert found.shape == (8, 8)
    assert found[0, 0] == 0
    assert abs(float(found.mean()) - image.mean()) < 0.5


def test_gray_images_stay_gray(tmp_path):
    """StyleGAN trains on one channel as well."""
    row = patch(0, image={"bytes": encode(picture(0, gray=True)), "path": ""})
    with zipfile.ZipFile(written(tmp_path, [row])) as archive:
        assert pixels(archive.read(archive.namelist()[0])).shape == (16, 16)


def test_a_member_with_a_wrong_checksum_gives_no_bytes(tmp_path):
    """It becomes one broken image; the others of the zip are read."""
    path = written(tmp_path, [patch(0), patch(1)])
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    names = [sample.name for sample in stylegan.READER.listing(str(path))]
    found = list(stylegan.READER.images(str(path), names))

    assert [bool(sample.data) for sample in found] == [False, True]
    (tmp_path / "x.zip").write_bytes(data[:-30])
    with pytest.raises(TableError, match="not a zip"):
        list(stylegan.READER.listing(str(tmp_path / "x.zip")))


def test_rows_that_are_no_table_are_refused(tmp_path):
    """Somebody else may have a rows.csv as well."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rows.csv", "name,patient\na,P\n")

    with pytest.raises(TableError, match="no table with a column `file`"):
        list(stylegan.READER.listing(str(path)))
