"""URIs: a key is text, never a URL."""

import json
import unicodedata

import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem
from pyarrow import fs

from idhray import leases, uris
from idhray.chance import generator
from idhray.config import Identity
from idhray.errors import StorageError
from idhray.slide_cache.source import slide_files, source_of
from idhray.storage import (
    delete_folder,
    list_files,
    list_folders,
    list_tree,
    local_file,
    output_folder,
    publish,
    read_bytes,
    remove,
)
from idhray.uris import absolute, existing_spelling, filesystem, is_remote

LETTERS = "aZ0 #?%&+=;:@,!$'()*[]{}|^~`\"<>\\-_.é\u0301日"
WORDS = ["run#1", "a?b=c", "p%20q", "p q", "%2F", "é", "e\u0301", "..a", "x" * 200, "#", "?", "%"]


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """A bucket whose objects are files of a folder."""
    folder = DirFileSystem(str(tmp_path / "store"), LocalFileSystem(auto_mkdir=True))
    store = fs.PyFileSystem(fs.FSSpecHandler(folder))
    (tmp_path / "store" / "bucket").mkdir(parents=True)
    monkeypatch.setattr(leases, "SETTLE_S", 0)
    monkeypatch.setattr(uris, "_file_system_of_bucket", lambda _, name: (store, name))
    return tmp_path / "store" / "bucket"


def drawn_names() -> list[str]:
    """Names of one to 30 characters, in which those that URLs treat specially are frequent."""
    random = generator(0, "keys")
    sizes = random.integers(1, 30, 150)
    names = ["".join(random.choice([*LETTERS], size)) for size in sizes]
    return [name for name in [*WORDS, *names] if name not in (".", "..")]


@pytest.mark.parametrize("kind", ["s3", "file", "path"])
def test_any_key_is_the_file_of_that_name_for_reading_writing_and_listing(bucket, kind):
    """A decoy was read where a name held `#`, and one output overwrote another."""
    root = {"s3": "s3://bucket", "file": f"file://{bucket}", "path": str(bucket)}[kind]
    names = sorted(dict.fromkeys(drawn_names()))
    for name in names:
        publish(f"{root}/{name}/{name}", name.encode())

    assert list_folders(root) == sorted(names)
    assert sorted(path.name for path in bucket.iterdir()) == sorted(names)
    for name in names:
        path = f"{root}/{name}/{name}"
        assert (bucket / name / name).read_bytes() == read_bytes(path) == name.encode()
        assert list_files(f"{root}/{name}") == list_tree(f"{root}/{name}") == [path]
        with local_file(path) as local, open(local, "rb") as file:
            assert file.read() == name.encode()
        assert slide_files(path)[0] == path
        assert source_of(path).size == len(name.encode())
    for name in names:
        remove(f"{root}/{name}/{name}")
        delete_folder(f"{root}/{name}")
    assert list_tree(root) == []


@pytest.mark.parametrize("kind", ["s3", "file"])
def test_a_run_resumes_in_the_folder_that_it_made_and_in_no_other(bucket, kind):
    """`--out s3://b/run#1` and `--out s3://b/run#2` were one folder."""
    root = {"s3": "s3://bucket", "file": f"file://{bucket}"}[kind]
    names = [*WORDS, "run#2", "run"]
    for seed, name in enumerate([*names, *names]):
        identity = Identity({"stage": "test", "seed": seed % len(names)})
        with output_folder(f"{root}/{name}", identity, provenance={}):
            publish(f"{root}/{name}/part-{seed}.parquet", b"")

    for seed, name in enumerate(names):
        assert json.loads((bucket / name / "_settings.json").read_text())["seed"] == seed
        parts = [path.name for path in (bucket / name).glob("part-*")]
        assert sorted(parts) == sorted(
            [f"part-{seed}.parquet", f"part-{seed + len(names)}.parquet"]
        )


@pytest.mark.parametrize(
    ("path", "remote", "plain"),
    [
        ("s3://b/a#b", True, "s3://b/a#b"),
        ("/data/s3://b/a", False, "/data/s3:/b/a"),
        ("file:///data/a#b?c%20d", False, "/data/a#b?c%20d"),
        ("FILE:///data", False, "/data"),
        ("file://localhost/data", False, "/data"),
        ("/data/a#b", False, "/data/a#b"),
    ],
)
def test_only_a_leading_scheme_makes_a_uri_and_file_uris_are_paths(path, remote, plain):
    """file:///p%20q names the folder p%20q: nothing is decoded, so no decoy can be meant."""
    assert is_remote(path) is remote
    assert absolute(path) == plain


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("s3://", "'' is no bucket"),
        ("s3:///key", "'' is no bucket"),
        ("s3://buck#et/key", "'buck#et' is no bucket"),
        ("s3://bucket/a//b", "cannot have a part '' between slashes"),
        ("s3://bucket/a/../b", "cannot have a part '..' between slashes"),
        ("zip://bucket/a", "cannot be opened"),
        ("file://data/slides", "write file:///data/slides"),
    ],
)
def test_a_uri_that_cannot_be_meant_is_one_line(path, message):
    """Each store treats empty parts and `..` in another way; guessing could name another file."""
    with pytest.raises(StorageError, match=message):
        filesystem(path)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_file_is_met_in_the_other_form_of_unicode(tmp_path, form):
    """A Mac writes M\u00fcller with two characters for one letter."""
    name = "M\u00fcller/\u00e9.svs"
    path = tmp_path / unicodedata.normalize(form, name)
    path.parent.mkdir()
    path.touch()

    for other in ("NFC", "NFD"):
        asked = f"{tmp_path}/{unicodedata.normalize(other, name)}"
        assert existing_spelling(asked) == str(path)
    assert existing_spelling(f"{tmp_path}/\u00fc") == f"{tmp_path}/\u00fc"
    assert existing_spelling("s3://b/\u00fc") == "s3://b/\u00fc"
