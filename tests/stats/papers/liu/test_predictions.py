"""What the PREDICTIONS table must be before a figure is computed from it."""

import numpy as np
import pandas as pd
import pytest

from idhray.errors import LeakageError, TableError
from idhray.stats.papers.liu.predictions import checked_predictions
from idhray.stats.sample import SampleError


def test_a_cell_is_a_matrix_of_repeats_by_patients(study):
    """Patients by name, whatever the order of the rows."""
    rows, _ = study(patients=4, repeats=2)
    shuffled = rows.sample(frac=1, random_state=1)
    cell = checked_predictions(shuffled).scores("resnet50", 1000, "test")
    again = checked_predictions(rows).scores("resnet50", 1000, "test")

    assert cell.patients == ("P008", "P009", "P010", "P011")
    assert list(cell.sample.labels) == [0, 1, 0, 1]
    assert cell.sample.scores.shape == (2, 4)
    assert (cell.sample.scores == again.sample.scores).all()


def test_folds_of_a_repeat_are_averaged(study):
    """Five models of one repeat are one opinion, not five repeats."""
    rows, _ = study(patients=4, repeats=1)
    second = rows.assign(fold=1, p_mutant=1 - rows["p_mutant"])
    both = checked_predictions(pd.concat([rows, second]))

    assert both.scores("resnet50", 0, "val").mean == pytest.approx([0.5] * 4)


def test_patients_of_unknown_idh_are_excluded_and_counted(study):
    """They can neither be right nor wrong."""
    rows, _ = study(patients=6)
    rows.loc[rows["patient"].isin(["P006", "P012", "P013"]), "idh"] = None
    found = checked_predictions(rows)

    assert found.excluded == {"val": 1, "test": 2}
    assert len(found.scores("resnet50", 0, "test").patients) == 4


def test_other_splits_are_not_looked_at(study):
    """Predictions of training patients are resubstitution."""
    rows, _ = study(patients=4)
    train = rows[rows["split"] == "val"].assign(split="train", p_mutant=np.nan)
    found = checked_predictions(pd.concat([rows, train]))

    assert set(found.rows["split"]) == {"val", "test"}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        pytest.param(
            lambda t: t.drop(columns="fold"), TableError, "no column fold", id="missing column"
        ),
        pytest.param(lambda t: t.loc[[*t.index, 0]], TableError, "1 rows are repeated", id="twice"),
        pytest.param(
            lambda t: t.assign(p_mutant=t["p_mutant"].where(t.index > 1)),
            TableError,
            "2 values of p_mutant are missing",
            id="NaN",
        ),
        pytest.param(
            lambda t: t.assign(p_mutant=t["p_mutant"] * 100), TableError, "0..1", id="percent"
        ),
        pytest.param(
            lambda t: t.assign(idh=t["idh"].where(t.index > 0, "IDH1")),
            TableError,
            "found 'IDH1'",
            id="another label",
        ),
        pytest.param(
            lambda t: t.assign(idh=t["idh"].where(t.index > 0, "mutant")),
            TableError,
            "two IDH states: P004",
            id="contradiction",
        ),
        pytest.param(
            lambda t: t.assign(split=t["split"].where(t.index > 0, "test")),
            LeakageError,
            "P004",
            id="in both splits",
        ),
        pytest.param(lambda t: t.drop(index=0), TableError, "other patients", id="uneven"),
        pytest.param(
            lambda t: t[(t["split"] == "val") | (t["idh"] == "mutant")],
            SampleError,
            "test: 2 mutant and 0 wildtype",
            id="one class",
        ),
        pytest.param(
            lambda t: t[t["split"] == "val"], SampleError, "test: 0 mutant", id="no test set"
        ),
    ],
)
def test_a_table_that_misleads_is_refused(study, change, error, message):
    """Each of these would give figures that look right."""
    rows, _ = study(patients=4)

    with pytest.raises(error, match=message):
        checked_predictions(change(rows))
