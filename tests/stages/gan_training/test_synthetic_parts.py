"""A table of synthetic images grows at its end."""

import logging
from dataclasses import replace

import pytest

from idhray.config import settings_hash
from idhray.errors import SettingsChangedError
from idhray.gan.checkpoint import save
from idhray.ledger import Fate, fates, record
from idhray.stages import synthesize as stage
from idhray.stages.gan_training import synthetic_parts
from idhray.stages.gan_training.synthetic_parts import (
    IndexRange,
    complete_start,
    in_chunks,
    part_name,
    rows_of,
)
from idhray.stages.runtime.folder import DONE, seal
from idhray.stages.synthesize import SynthesizeFlags, synthesize
from idhray.storage import SETTINGS, publish_json, read_json, remove
from idhray.table_parts import part_path, read_table
from idhray.tables import SYNTHETIC
from tests.gan.made_up import STYLEGAN2, start
from tests.stages.in_process import in_process as in_process

COPIES = {1, 7, 8, 9, 14, 21}


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """A finished checkpoint. Some of its images count as copies, parts hold eight images."""
    folder = str(tmp_path / "gan")
    run = start(STYLEGAN2)
    run.step()
    save(run, folder)
    publish_json(f"{folder}/{DONE}", {"digest": "a checkpoint"})
    monkeypatch.setattr(synthetic_parts, "CHUNK", 8)
    monkeypatch.setattr(
        stage,
        "_copies",
        lambda task, *rest: {i: f"left out: {i}" for i in COPIES & {*range(task.first, task.end)}},
    )
    return folder


def images(folder):
    """Rows of a table by index, without the order of its parts."""
    rows = read_table(folder, SYNTHETIC).to_pylist()
    return {row["index"]: row for row in rows}


def works(folder):
    """Seconds of the work on each part, which differ from run to run."""
    return {name: fate.seconds for name, fate in fates(folder).items()}


def test_more_images_join_and_the_first_ones_stay(in_process, checkpoint, tmp_path):
    """Also when copies were left out and replaced: the table is that of a run for all of them."""
    grown, fresh = str(tmp_path / "grown"), str(tmp_path / "fresh")
    synthesize(SynthesizeFlags(checkpoint=checkpoint, out=grown, count=10))
    first, first_works = images(grown), works(grown)
    result = synthesize(SynthesizeFlags(checkpoint=checkpoint, out=grown, count=23))
    synthesize(SynthesizeFlags(checkpoint=checkpoint, out=fresh, count=23))

    assert list(first) == [0, 2, 3, 4, 5, 6, 10, 11, 12, 13]
    assert images(grown) == images(fresh)
    assert set(images(grown)) == set(range(29)) - COPIES
    assert (result["rows"], result["copies"]) == (23, len(COPIES))
    assert {name: works(grown)[name] for name in first_works} == first_works


def test_fewer_images_than_a_table_holds_change_nothing(in_process, checkpoint, tmp_path, caplog):
    """The first images are the same for any number, so a smaller study can use the table."""
    out = str(tmp_path / "made")
    synthesize(SynthesizeFlags(checkpoint=checkpoint, out=out, count=12))
    before, sealed = works(out), seal(out)
    with caplog.at_level(logging.INFO):
        result = synthesize(SynthesizeFlags(checkpoint=checkpoint, out=out, count=5))

    assert (works(out), seal(out), result["rows"]) == (before, sealed, 12)
    assert "holds 12 images, of which --count 5 is a part" in caplog.text
    with pytest.raises(SettingsChangedError, match="seed: was 0, now 1"):
        synthesize(SynthesizeFlags(checkpoint=checkpoint, out=out, count=20, seed=1))
    assert seal(out) == sealed


def test_a_table_that_was_killed_while_it_grew_may_take_another_number(
    in_process, checkpoint, tmp_path
):
    """Parts that do not fit the number leave; a gap is filled."""
    out, fresh = str(tmp_path / "made"), str(tmp_path / "fresh")
    synthesize(SynthesizeFlags(checkpoint=checkpoint, out=out, count=24))
    first_part = works(out)["images 0-7"]
    remove(f"{out}/{DONE}")
    remove(part_path(out, "images 8-15"))
    remove(part_path(f"{out}/_ledger", "images 8-15"))
    synthesize(SynthesizeFlags(checkpoint=checkpoint, out=out, count=11))
    synthesize(SynthesizeFlags(checkpoint=checkpoint, out=fresh, count=11))

    assert images(out) == images(fresh)
    assert works(out)["images 0-7"] == first_part


def test_the_table_of_an_earlier_version_grows(in_process, checkpoint, tmp_path):
    """It recorded the number of images, which was part of every digest."""
    out, fresh = str(tmp_path / "made"), str(tmp_path / "fresh")
    synthesize(SynthesizeFlags(checkpoint=checkpoint, out=out, count=12))
    recorded = {**read_json(f"{out}/{SETTINGS}"), "count": 12}
    publish_json(f"{out}/{SETTINGS}", recorded)
    for name, fate in fates(out).items():
        first = int(name.removeprefix("images ").split("-")[0])
        digest = settings_hash({**recorded, "first": first})
        record(out, replace(fate, settings_hash=digest))
    before = works(out)
    synthesize(SynthesizeFlags(checkpoint=checkpoint, out=out, count=12))
    assert works(out) == before

    synthesize(SynthesizeFlags(checkpoint=checkpoint, out=out, count=20))
    synthesize(SynthesizeFlags(checkpoint=checkpoint, out=fresh, count=20))
    assert {name: works(out)[name] for name in before} == before
    assert images(out) == images(fresh)


def test_complete_parts_from_the_first_image_on():
    """A failed part, a gap and a part that holds too many images end the row."""
    parts = [*in_chunks(0, 300), IndexRange(300, 310), IndexRange(320, 330)]
    states = {
        part_name(part): Fate(input=part_name(part), status="done", rows=part.end - part.first)
        for part in parts
    }

    assert complete_start(states, 1000) == parts[:-1]
    assert rows_of(states, complete_start(states, 309)) == 300
    assert complete_start(states, 300) == parts[:3]
    assert complete_start(states, 127) == []
    states["images 128-255"] = Fate(input="images 128-255", status="failed", rows=0)
    assert complete_start(states, 1000) == parts[:1]
