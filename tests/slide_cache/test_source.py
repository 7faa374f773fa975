"""What is copied of a slide, and what is noticed while it is copied."""

import errno
import os
import struct
from pathlib import Path

import pytest

from idhray.errors import StorageError
from idhray.slide_cache import source as staging_source
from idhray.slide_cache.source import fetch, source_of


@pytest.fixture
def slide(tmp_path):
    """A file at the source."""
    path = tmp_path / "source" / "a.svs"
    path.parent.mkdir()
    path.write_bytes(b"a" * 40)
    return path


@pytest.fixture
def folder(tmp_path):
    """Where it is to be copied."""
    (tmp_path / "copy").mkdir()
    return tmp_path / "copy"


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("main", "beside"),
    [
        pytest.param("a.mrxs", ["a/Slidedat.ini", "a/deep/Data0000.dat"], id="MIRAX"),
        pytest.param("a.vms", ["b.jpg", "c.opt"], id="Hamamatsu VMS"),
        pytest.param("a.svs", [], id="all others"),
    ],
)
def test_files_that_belong_together_are_one_source(tmp_path, folder, main, beside):
    """Without its companions OpenSlide cannot open such a slide, or sees one level of it."""
    for name in [main, *beside, "other.svs", "other.jpg", "other/a.dcm", "ab/Slidedat.ini"]:
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    if main == "a.vms":
        Path(tmp_path / "source" / main).write_text("[Slide]\nImageFile = b.jpg\nOpti=c.opt\n")
    for prefix in ("", "file://"):
        source = source_of(f"{prefix}{tmp_path}/source/{main}")
        fetch(source, str(folder))

        assert source.name == main
        assert names(folder) == sorted([main, *beside])
        assert source.size == sum((folder / name).stat().st_size for name in [main, *beside])
        assert all((folder / name).read_text() == name for name in beside)


def dicom(series: str, study: str = "1.2.3") -> bytes:
    """The head of a DICOM file, which refers to another series before it names its own."""

    def uid(number: int, value: str) -> bytes:
        data = value.encode() + b"\0" * (len(value) % 2)
        return struct.pack("<HH2sH", 0x20, number, b"UI", len(data)) + data

    other = uid(0xE, "9.9")
    return b"\0" * 128 + b"DICM" + other + uid(0xD, study) + uid(0xE, series)


@pytest.mark.parametrize("main", ["a.dcm", "1.2.840.1", "IM0001"])
def test_dicom_files_of_one_series_are_one_source(tmp_path, folder, main):
    """In a folder of many slides each would take all of them to the cache, and 4 GB or 100 come."""
    (tmp_path / "source").mkdir()
    files = {
        main: dicom("1.4"),
        "b.DCM": dicom("1.4"),
        "1.2.840.2": dicom("1.4"),
        "whoknows.dcm": dicom("")[:200],
        "c.dcm": dicom("1.40"),
        "d.dcm": dicom("1.5"),
        "text.dcm": b"no DICOM",
        "e.svs": dicom("1.4"),
    }
    for name, content in files.items():
        (tmp_path / "source" / name).write_bytes(content)
    for prefix in ("", "file://"):
        source = source_of(f"{prefix}{tmp_path}/source/{main}")
        fetch(source, str(folder))

        assert source.name == main
        assert names(folder) == sorted([main, "b.DCM", "1.2.840.2", "whoknows.dcm"])


def test_a_folder_is_no_slide(tmp_path):
    """One might name a DICOM slide's; that there is no such file would not help him."""
    with pytest.raises(StorageError, match=r"is a folder; name the slide's file in its manifest"):
        source_of(str(tmp_path))


def test_a_change_of_any_of_its_files_makes_another_key(tmp_path):
    """The main file of a MIRAX slide is a thumbnail; the slide is in the others."""
    main, data = tmp_path / "a.mrxs", tmp_path / "a" / "Data0000.dat"
    data.parent.mkdir()
    main.write_bytes(b"1")
    keys = []
    for content, time_ns in ((b"1", 10**9), (b"12", 10**9), (b"12", 2 * 10**9)):
        data.write_bytes(content)
        os.utime(data, ns=(time_ns, time_ns))
        keys.append(source_of(str(main)).key)

    assert len(set(keys)) == 3


@pytest.mark.parametrize("now", [b"a" * 10, b"a" * 90, b"z" * 40], ids=["less", "more", "other"])
def test_a_source_that_changes_while_it_is_fetched_is_refused(slide, folder, monkeypatch, now):
    """An upload under way gives a file that is neither old nor new."""
    copy = staging_source._copy

    def change(*args):
        slide.write_bytes(now)
        os.utime(slide, ns=(1, 1))
        copy(*args)

    monkeypatch.setattr(staging_source, "_copy", change)
    with pytest.raises(StorageError, match=r"10 of 40 bytes of a.svs arrived|changed while"):
        fetch(source_of(str(slide)), str(folder))
    assert (folder / "a.svs").stat().st_size <= 40  # what was taken from the budget


def test_a_transfer_that_ends_early_is_refused(slide, folder, monkeypatch):
    """A connection may end without an error; half a slide opens, and its tiles are white."""
    copy = staging_source._copy
    monkeypatch.setattr(staging_source, "_copy", lambda *args: copy(*args[:3], 10))
    with pytest.raises(StorageError, match=r"a.svs: 10 of 40 bytes of a.svs arrived; try again"):
        fetch(source_of(str(slide)), str(folder))


def test_what_cannot_be_read_is_one_line(slide, folder, monkeypatch):
    """A ledger's row holds one; errors of object stores have several."""
    source = source_of(str(slide))
    slide.unlink()
    with pytest.raises(StorageError, match=r"^\S+a.svs: no such file$"):
        fetch(source, str(folder))

    def broken(*args):
        raise OSError(errno.EIO, "AWS Error\nNETWORK_CONNECTION")

    monkeypatch.setattr(staging_source, "_copy", broken)
    with pytest.raises(StorageError, match=r"^\S+a.svs: cannot be fetched \(.*AWS Error NETWORK"):
        fetch(source, str(folder))
