"""The data card of a SYNTHETIC table: its figures are those of the records, and it names nobody."""

import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest

from idhray.generator_records import GATE, read_generator, write_generator
from idhray.ledger import Fate, fates, record
from idhray.report.data_card import CARD_NAME
from idhray.stages.gan_training.synthetic_card import synthetic_card, write_synthetic_card
from idhray.stages.runtime.folder import DONE, seal

PLACE = "generators/fold-1"


@pytest.fixture
def place(table_study, tmp_path):
    """A generator of a finished study: gan-mutant, evaluation-mutant and synthetic-mutant."""
    return shutil.copytree(table_study / PLACE, tmp_path / "fold-1")


def card_of(place):
    return synthetic_card(
        str(place / "synthetic-mutant"),
        checkpoint=str(place / "gan-mutant"),
        evaluation=str(place / "evaluation-mutant"),
    )


def test_figures_are_those_of_the_evaluation_beside_the_floor(place):
    """A number without its floor says nothing."""
    table = pd.read_csv(place / "evaluation-mutant" / "fidelity.csv").set_index("metric")
    gate = json.loads((place / "evaluation-mutant" / "gate.json").read_text())
    card = card_of(place)

    assert card["congruence"]["KID"] == {
        "synthetic": table.loc["kid", "value"],
        "real_floor": table.loc["kid", "floor"],
    }
    assert card["coverage"]["recall"] is None  # not measured
    assert card["compliance"]["copies_among_judged_images"] == gate["figures"]["copies"]
    assert card["compliance"]["test_for_copies_and_diversity"] == "passed"
    assert card["training_data"]["patients"] == len(
        read_generator(str(place / "synthetic-mutant")).patients
    )
    assert card["about"]["images"] == 20
    assert card["about"]["side_px"] == 32
    assert card["generator"]["kimg"] == 4


def test_copies_that_were_left_out_are_counted_and_their_patients_are_not_named(place):
    """The ledger names the patient who was copied; the card goes elsewhere."""
    table = str(place / "synthetic-mutant")
    (name, fate) = next(iter(fates(table).items()))
    patient = read_generator(table).patients[0]
    note = f"left out: 3 copies part-0:1 of {patient}; left out: 7 copies part-0:2 of {patient}"
    record(table, Fate(**{**vars(fate), "input": name, "error": note}))
    write_synthetic_card(table, checkpoint=str(place / "gan-mutant"))
    texts = [(place / "synthetic-mutant" / f"{CARD_NAME}.{e}").read_text() for e in ("md", "json")]

    assert json.loads(texts[1])["completeness"]["copies_left_out"] == 2
    names = read_generator(table).patients
    assert not [each for each in names for text in texts if each in text]


def test_a_card_changes_neither_seal_nor_rows(place):
    """A later stage would take the table for another one."""
    table = place / "synthetic-mutant"
    before = (seal(str(table)), (table / DONE).read_bytes())
    write_synthetic_card(str(table))

    assert (seal(str(table)), (table / DONE).read_bytes()) == before


def test_a_table_that_nobody_judged_says_so(place):
    """Unknown is not zero."""
    table = place / "synthetic-mutant"
    (table / GATE).unlink()
    card = synthetic_card(str(table))

    assert card["compliance"]["copies_among_judged_images"] is None
    assert "test for copies and diversity: not made" in card["summary"]
    assert any("were not tested" in limit for limit in card["limits"])
    assert card["congruence"]["FID"] is None


def test_a_declared_list_and_a_withdrawal_are_limits(place):
    """Who uses the images must know both."""
    table = str(place / "synthetic-mutant")
    before = read_generator(table)
    write_generator(
        table, replace(before, source="declared", declared_by="A. Smith", declared_on="2026-11-30")
    )
    card = synthetic_card(table)

    assert card["training_data"]["list_of_patients"] == "declared by A. Smith (2026-11-30)"
    assert any("declared by a person" in limit for limit in card["limits"])
