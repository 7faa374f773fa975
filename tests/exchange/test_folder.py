"""Image files in folders."""

import pytest

from idhray.errors import StorageError, TableError
from idhray.exchange import folder
from idhray.exchange.files import END_BYTES, mark, shard_files
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
    listed = {sample.name: sample.metadata for sample in folder.READER.listing(str(tmp_path))}

    images = folder.READER.images(str(tmp_path), {"gone.png": None, "b.JPG": None})

    assert listed == {
        "a/x.png": {"patient": "P", "x_l0": 3, "mpp": 0.5},
        "b.JPG": {},
        "gone.png": {"patient": "Q"},
    }
    assert [s.name for s in images] == ["b.JPG"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("file,patient\n../../secret.png,P\n", "outside the folder"),
        ("file,patient\n/etc/x.png,P\n", "outside the folder"),
        ("patient\nP\n", "no table with a column `file`"),
        ("file,x_l0\na.png,three\n", "x_l0 is 'three', not a number"),
        ("patient,file\nP,a.png\nP\n", "line 3 has no file, or other cells"),
        ("file,patient\na.png\n", "line 2 has no file, or other cells"),
        ("file,patient\na,b.png,P\n", "line 2 has no file, or other cells"),
        ("file,patient\na.png,P\na.png,Q\n", r"2 images are named a\.png"),
        ("", "no table with a column `file`"),
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

    assert [path[-5:] for path in shard_files(str(tmp_path), (".tar",))] == ["a.tar", "b.tar"]
    assert shard_files(str(tmp_path / "c.zip"), (".tar",)) == [str(tmp_path / "c.zip")]
    with pytest.raises(StorageError, match=r"no \.npz files"):
        shard_files(str(tmp_path), (".npz",))


@pytest.mark.parametrize("below", ["images", "images/train", "images/train/mutant"])
def test_a_folder_of_an_export_is_said_of_by_the_csv_above_it(tmp_path, below):
    """Else its train images would be split again; those of other folders are not promised."""
    here = tmp_path / "images" / "train" / "mutant"
    here.mkdir(parents=True)
    (here / "x.png").touch()
    rows = "images/train/mutant/x.png,P,train\nimages-old/test/y.png,Q,test\n"
    (tmp_path / folder.INDEX).write_text("file,patient,split\n" + rows)
    (sample,) = folder.READER.listing(str(tmp_path / below))

    assert str(tmp_path / below / sample.name) == str(here / "x.png")
    assert sample.metadata == {"patient": "P", "split": "train"}


@pytest.mark.parametrize("text", ["name,patient\nx,P\n", "file,patient\nelsewhere/x.png,P\n", ""])
def test_a_csv_above_that_says_nothing_of_the_source_is_not_meant(tmp_path, text):
    """Any folder may hold some images.csv."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").touch()
    (tmp_path / folder.INDEX).write_text(text)

    assert [sample.metadata for sample in folder.READER.listing(str(tmp_path / "a"))] == [{}]


def test_a_folder_called_like_a_split_says_the_split(tmp_path):
    """Test images without a table beside them must not become train images unseen."""
    for name in ("test/a.png", "images/Train/c.png", "b.png", "testing/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    listed = {sample.name: sample.metadata for sample in folder.READER.listing(str(tmp_path))}

    assert listed == {
        "b.png": {},
        "images/Train/c.png": {"split": "train"},
        "test/a.png": {"split": "test"},
        "testing/d.png": {},
    }
    (tmp_path / folder.INDEX).write_text("file,split\ntest/a.png,train\n")
    with pytest.raises(TableError, match=r"test/a\.png: images.csv says that it is in train"):
        list(folder.READER.listing(str(tmp_path)))


def test_a_mark_changes_with_size_start_and_end(tmp_path):
    """And not with the time of a copy; of a file that is not there it is nothing."""
    path = tmp_path / "x"
    data = bytes(3 * END_BYTES)
    marks = [mark(str(path))]
    for content in (data, data + b"0", b"1" + data[1:], data[:-1] + b"1", b"", b"1", b"2"):
        path.write_bytes(content)
        marks.append(mark(str(path)))
    path.write_bytes(b"2")

    assert marks[0] == ""
    assert len(set(marks)) == len(marks)
    assert mark(str(path)) == marks[-1]
