"""Image files in folders."""

import pytest

from idhray.errors import StorageError, TableError
from idhray.exchange import folder
from idhray.exchange.files import shards
from tests.exchange.made import KIND, patch, rows_of


def test_files_lie_in_split_and_class_with_their_own_bytes(tmp_path):
    """As torchvision's ImageFolder and Keras read them; null has a folder, too."""
    rows = [patch(0), patch(1, split=None, idh=None, slide="../up")]
    index = folder.write_images(
        str(tmp_path), rows_of(tmp_path / "t", rows), KIND["patches"], "images"
    )

    first, second = (row["file"] for row in index)
    assert first.startswith("images/train/mutant/")
    assert first.endswith("_x0_y7.png")
    assert second.startswith("images/unsplit/unlabelled/")
    for row, file in zip(rows, (first, second), strict=True):
        assert (tmp_path / file).read_bytes() == row["image"]["bytes"]
    assert index[1]["slide"] == "../up"


def test_a_listing_holds_what_lies_there_and_what_the_csv_promises(tmp_path):
    """A file that is missing must not be missed."""
    (tmp_path / "a").mkdir()
    (tmp_path / ".hidden").mkdir()
    for name in ("a/x.png", "b.JPG", "note.txt", ".hidden/y.png"):
        (tmp_path / name).touch()
    text = "file,patient,x_l0,mpp\na/x.png,P,3,0.5\ngone.png,Q,,\n"
    (tmp_path / folder.INDEX).write_text(text)
    listed = {sample.name: sample.said for sample in folder.READER.listing(str(tmp_path))}

    assert listed == {
        "a/x.png": {"patient": "P", "x_l0": 3, "mpp": 0.5},
        "b.JPG": {},
        "gone.png": {"patient": "Q"},
    }
    assert [s.name for s in folder.READER.images(str(tmp_path), ["gone.png", "b.JPG"])] == ["b.JPG"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("file,patient\n../../secret.png,P\n", "outside the folder"),
        ("file,patient\n/etc/x.png,P\n", "outside the folder"),
        ("patient\nP\n", "no table with a column `file`"),
        ("file,x_l0\na.png,three\n", "x_l0 is 'three', not a number"),
    ],
)
def test_a_csv_that_lies_is_refused(tmp_path, text, reason):
    """It came from elsewhere."""
    (tmp_path / folder.INDEX).write_text(text)

    with pytest.raises(TableError, match=reason):
        list(folder.READER.listing(str(tmp_path)))


def test_shards_are_one_file_or_all_of_a_kind(tmp_path):
    """Sorted, so that every run sees them in one order."""
    for name in ("b.tar", "a.tar", "c.zip"):
        (tmp_path / name).touch()

    assert [path[-5:] for path in shards(str(tmp_path), (".tar",))] == ["a.tar", "b.tar"]
    assert shards(str(tmp_path / "c.zip"), (".tar",)) == [str(tmp_path / "c.zip")]
    with pytest.raises(StorageError, match=r"no \.npz files"):
        shards(str(tmp_path), (".npz",))
