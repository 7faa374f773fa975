"""Table 1 and the flow of patients, from a cohort and ledgers."""

from dataclasses import replace

import numpy as np
import pandas as pd

from idhray.config import settings_dict
from idhray.report.content import flow_of
from idhray.stages.studies.judgment_section import cohort_table, flow_picture
from idhray.stages.studies.settings import PRESETS, StudySettings
from idhray.stages.studies.shared_sections import settings_groups, with_preset_first


def cohort(count=12):
    return pd.DataFrame(
        {
            "patient": [f"P{n}" for n in range(count)],
            "idh": ["mutant", "wildtype", ""] * (count // 3),
            "age": [40.0 + n for n in range(count)],
            "sex": ["F", "M", "F", "F"] * (count // 4),
            "grade": [4, 2, None] * (count // 3),
            "diagnosis": [""] * count,
            "site": [f"S{n}" for n in range(count)],
        }
    )


def test_table_1_has_a_column_for_each_class_and_names_its_tests():
    """Readers look for it first; patients of unknown status are in neither column."""
    (table,) = cohort_table(cohort())
    cells = {row[0]: row for row in table.rows if row[0]}

    assert list(table.header[:4]) == ["Variable", "Level", "mutant", "wildtype"]
    assert set(cells) == {"age", "sex", "grade", "site"}


def test_a_cohort_without_covariates_has_no_table_1():
    """A manifest needs patient and idh only."""
    bare = cohort().assign(age=np.nan, sex="", grade=None, site="")

    assert cohort_table(bare) == []
    assert cohort_table(cohort().query("idh == 'mutant'")) == []


def test_the_flow_counts_what_is_left_out_and_says_it_in_words():
    """The picture is for the eyes, its alternative text for all others."""
    reason = "slide: no mpp and no objective power " + "x" * 200
    rows = [{"input": f"{n}", "status": "failed", "error": reason} for n in range(300)]
    flow = flow_of("tiles", [*rows, {"input": "a", "status": "done", "error": None}])
    picture = flow_picture(cohort(), [flow], "8 patients tested")

    assert "12 patients in the manifest (left out: 4 of unknown IDH status)" in picture.alt
    assert "0 skipped, 300 failed" in picture.alt
    assert "no mpp and no objective power" in picture.alt


def test_settings_that_differ_from_the_nearest_preset_come_first():
    """A reader wants to know what was changed, not to compare 160 values."""
    demo = PRESETS["demo"]
    groups = settings_groups(settings_dict(replace(demo, evaluation_images=77)))
    slides = {name: each for name, each in PRESETS.items() if isinstance(each, StudySettings)}
    first = next(iter(with_preset_first(groups, slides).items()))

    assert first == (
        "this study that differ from the preset demo",
        {"study: evaluation_images": "77 (preset: 100)"},
    )
