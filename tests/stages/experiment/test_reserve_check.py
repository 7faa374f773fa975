"""Generators that saw the images of the arm `more-real` are refused, unknown ones named."""

import logging
from dataclasses import replace

import pytest

from idhray.errors import LeakageError
from idhray.generator_records import GeneratorTable, read_generator, write_generator
from idhray.stages.runtime.folder import seal
from idhray.stages.sweep import SweepFlags, sweep
from idhray.withdrawals import new_withdrawals, write_withdrawals
from tests.stages.made_up_experiment import PROTOCOL, SETTINGS, folds, generators, patches

SHARE = 4
"""Images of each patient in the training share of the made-up experiment."""


@pytest.fixture
def inputs(tmp_path):
    images = patches(tmp_path / "patches")
    file = folds(tmp_path / "folds.csv")
    return {"images": images, "folds": file, "synthetic": generators(tmp_path, file)}


def with_tables(inputs, *tables):
    """Rewrite all generator records: images of their tables."""
    for folder in inputs["synthetic"]:
        record = read_generator(folder)
        known = tuple(
            GeneratorTable(digest=digest, last_ranks=last and dict.fromkeys(record.patients, last))
            for digest, last in tables
        )
        write_generator(folder, replace(record, tables=known or None))


def plan(inputs, tmp_path, settings=SETTINGS):
    return sweep(SweepFlags(**inputs, settings=settings, out=str(tmp_path / "o"), dry_run=True))


def test_a_generator_of_the_training_share_is_accepted_in_silence(inputs, tmp_path, caplog):
    """It saw the images of the arm `real`, no more."""
    with_tables(inputs, (seal(inputs["images"]), SHARE))
    with caplog.at_level(logging.WARNING):
        plan(inputs, tmp_path)

    assert "reserve" not in caplog.text


@pytest.mark.parametrize("earlier", [False, True], ids=["last training", "earlier training"])
def test_a_generator_that_saw_the_reserve_is_refused(inputs, tmp_path, earlier):
    """Its images tell of further real images, which the arm more-real shows."""
    tables = [(seal(inputs["images"]), SHARE + 1)]
    with_tables(inputs, *([(seal(inputs["images"]), SHARE), *tables] if earlier else tables))

    with pytest.raises(LeakageError, match=r"images of the reserve of fold 1, .* more-real"):
        plan(inputs, tmp_path)
    without = replace(SETTINGS, protocol=replace(PROTOCOL, controls=("duplicate",)))
    assert plan(inputs, tmp_path, without)


def test_a_patient_who_withdrew_and_came_back_is_recognized(inputs, tmp_path):
    """The record then holds a keyed hash in place of the name."""
    withdrawals = new_withdrawals()
    write_withdrawals(str(tmp_path), withdrawals)
    with_tables(inputs, (seal(inputs["images"]), SHARE + 1))
    for folder in inputs["synthetic"]:
        record = read_generator(folder)
        ranks = {
            withdrawals.token(name): rank for name, rank in record.tables[0].last_ranks.items()
        }
        write_generator(
            folder, replace(record, tables=(replace(record.tables[0], last_ranks=ranks),))
        )

    with pytest.raises(LeakageError, match=r"images of the reserve of fold 1, .* more-real"):
        plan(inputs, tmp_path)


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        pytest.param([], "does not tell", id="a record of an earlier version"),
        pytest.param([("other", None)], "does not tell", id="a table without ranks"),
        pytest.param([("other", 1)], "another table of the same patients", id="another cut"),
    ],
)
def test_unknown_training_images_are_a_remark(inputs, tmp_path, caplog, tables, reason):
    """Studies made before must go on."""
    with_tables(inputs, *tables)
    with caplog.at_level(logging.WARNING):
        plan(inputs, tmp_path)

    assert "may have seen images of the reserve" in caplog.text
    assert reason in caplog.text
