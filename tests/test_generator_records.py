"""The record of a generator is complete and unchanged, or refused."""

import json

import pytest

from idhray.errors import LeakageError, StorageError
from idhray.generator_records import (
    GENERATOR,
    GeneratorRecord,
    GeneratorTable,
    gate_state,
    patients_hash,
    read_generator,
    write_generator,
)
from tests.classify.made_up import synthetic


def test_hash_of_patients_ignores_their_order():
    """Workers list patients in any order; sha256 of "A\\nB" starts so."""
    assert patients_hash(["B", "A", "A"]) == patients_hash(["A", "B"]) == "23519a43c66b4c34"


def test_a_shortened_list_of_patients_is_refused(tmp_path):
    """The hash is of the whole list."""
    folder = synthetic(tmp_path / "fake", "mutant", 2, patients=("T0", "V1"))
    values = json.loads((tmp_path / "fake" / GENERATOR).read_text())
    (tmp_path / "fake" / GENERATOR).write_text(json.dumps({**values, "patients": ["T0"]}))

    with pytest.raises(LeakageError, match="list was changed"):
        read_generator(folder)


def test_a_record_with_other_keys_is_refused(tmp_path):
    """A file of another program is no record."""
    (tmp_path / GENERATOR).write_text('{"generator": "g"}')

    with pytest.raises(StorageError, match="needs generator, idh, patients, trained_on"):
        read_generator(str(tmp_path))


def test_a_record_from_before_folds_is_read(tmp_path):
    """It lacks fold, seed and weights."""
    folder = synthetic(tmp_path / "fake", "mutant", 2)
    values = json.loads((tmp_path / "fake" / GENERATOR).read_text())
    old = {name: values[name] for name in ("generator", "idh", "patients", "trained_on")}
    (tmp_path / "fake" / GENERATOR).write_text(json.dumps(old))

    assert read_generator(folder) == GeneratorRecord.of("gan-mutant", "mutant", ["T0", "T1"])


def test_the_images_of_its_trainings_are_read_back(tmp_path):
    """The experiment compares them with the images that its arms show."""
    tables = (GeneratorTable(digest="d", last_ranks={"T0": 3}), GeneratorTable(digest="e"))
    record = GeneratorRecord.of("g", "mutant", ["T0"], tables=tables)
    write_generator(str(tmp_path), record)

    assert read_generator(str(tmp_path)) == record


@pytest.mark.parametrize(
    ("passed", "notes", "state"),
    [(True, [], "passed"), (True, ["No C_T test."], "not judged"), (False, ["-"], "failed")],
)
def test_nothing_passes_where_a_test_was_not_made(passed, notes, state):
    """A GAN of five images passed, since no test could be made on them."""
    assert gate_state(passed=passed, not_judged=notes) == state
