"""Sealed output folders."""

from pathlib import Path

import pytest

from idhray.config import Identity
from idhray.errors import StorageError
from idhray.ledger import Fate, record
from idhray.stages.runtime.folder import seal, sealed_parts, stage_folder
from idhray.table_parts import part_path, publish_table
from idhray.tables import PREDICTIONS
from tests.test_tables import ROW

IDENTITY = Identity({"stage": "test", "seed": 0})


def make(out, p_mutant=0.5, breaks=False):
    with stage_folder(str(out), IDENTITY, overwrite=False):
        row = {**ROW, "p_mutant": p_mutant}
        digest = publish_table(part_path(str(out), "a"), [row], PREDICTIONS)
        if breaks:
            raise KeyboardInterrupt
        record(str(out), Fate(input="a", status="done", rows=1, digest=digest))
    return seal(str(out))


def test_an_unfinished_folder_is_no_input(tmp_path):
    """A GAN trained on a third of the patches would look like one trained on all of them."""
    make(tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "out", breaks=True)

    with pytest.raises(StorageError, match="not finished"):
        seal(str(tmp_path / "out"))
    with pytest.raises(StorageError, match="not there"):
        seal(str(tmp_path / "nowhere"))


def test_a_seal_follows_the_content(tmp_path):
    """Made again with the same content it is the same, with other content another."""
    first = make(tmp_path / "one")

    assert make(tmp_path / "two") == first
    assert make(tmp_path / "one") == first
    assert make(tmp_path / "other", p_mutant=0.6) != first


def test_files_beside_the_table_count_too(tmp_path):
    """A checkpoint is files, not parts."""
    seals = set()
    for weights in (b"one", b"two"):
        out = tmp_path / weights.decode()
        with stage_folder(str(out), IDENTITY, overwrite=False):
            (out / "weights.safetensors").write_bytes(weights)
            (out / "_history.json").write_bytes(b"seconds differ")
        seals.add(seal(str(out)))

    assert len(seals) == 2


def grow(out, name, breaks=False):
    with stage_folder(str(out), IDENTITY, overwrite=False, grows=True):
        digest = publish_table(part_path(str(out), name), [ROW], PREDICTIONS)
        record(str(out), Fate(input=name, status="done", rows=1, digest=digest))
        if breaks:
            raise KeyboardInterrupt
    return seal(str(out))


def test_a_finished_folder_stays_finished_while_parts_join(tmp_path):
    """Results of days would be unreadable for as long as one more repeat takes."""
    make(tmp_path / "out")  # as by a version whose seals list no parts
    first, (name,) = seal(str(tmp_path / "out")), [p.name for p in tmp_path.glob("out/part-*")]
    with pytest.raises(KeyboardInterrupt):
        grow(tmp_path / "out", "b", breaks=True)

    assert (seal(str(tmp_path / "out")), sealed_parts(str(tmp_path / "out"))) == (first, [name])
    assert grow(tmp_path / "out", "b") != first
    assert len(sealed_parts(str(tmp_path / "out"))) == 2


def test_a_growing_folder_that_lost_a_sealed_part_is_not_finished(tmp_path):
    """Its seal stands for rows that nobody can read."""
    grow(tmp_path / "out", "a")
    part_path_of_a = part_path(str(tmp_path / "out"), "a")
    Path(part_path_of_a).unlink()

    with pytest.raises(StorageError, match="0 part files, was finished with 1"):
        seal(str(tmp_path / "out"))
    with pytest.raises(KeyboardInterrupt):
        grow(tmp_path / "out", "b", breaks=True)
    assert not (tmp_path / "out" / "_done.json").exists()
