"""The table of deviations: it states what the presets do, and the page is that table."""

from dataclasses import replace

from idhray.config import settings_dict
from idhray.stages.studies.deviations import (
    deviations_page,
    deviations_table,
    recorded_deviations,
)
from idhray.stages.studies.settings import PRESETS
from tests.deviations_page import PAGE


def test_the_page_is_generated_from_the_presets():
    """A changed preset makes it stale; `python -m tests.deviations_page` writes it anew."""
    assert PAGE.read_text() == deviations_page()


def test_values_are_those_of_the_settings():
    """A study that changes a setting reports the changed value."""
    preset = PRESETS["liu2020"]
    changed = replace(preset, patches=replace(preset.patches, stride_px=32))
    (table,) = deviations_table(changed)

    assert any("a lattice of 32 px" in row[2] for row in table.rows)


def test_the_controlled_preset_has_the_paper_s_networks():
    """Its own folds, repeats and controls are named as deviations."""
    (table,) = deviations_table(PRESETS["controlled"])
    by_setting = {row[0]: row[2] for row in table.rows}

    assert by_setting["Folds and repeats"] == "5 folds, 5 trainings of each arm"
    assert by_setting["Draw of real images in training"] == (
        "each patient as often (generators and classifier)"
    )
    assert by_setting["Count that is judged"] == "fixed before the first training"


def test_a_report_reads_the_recorded_settings():
    """The same table, from what the study's folder holds."""
    for name, inputs in (("liu2020", {"kind": "slides"}), ("park2021", {"kind": "mri"})):
        recorded = {**inputs, **settings_dict(PRESETS[name]), "seed": 0}

        assert recorded_deviations(recorded) == deviations_table(PRESETS[name])


def test_demos_are_no_reproductions():
    """Networks of 64 px deviate in everything, and a list of rows would hide that."""
    assert deviations_table(PRESETS["demo"]) == []
    assert deviations_table(PRESETS["demo-mri"]) == []
