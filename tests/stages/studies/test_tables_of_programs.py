"""Readings, consensus and predictions in the formats that people send."""

import io

import pandas as pd
import pytest

from idhray.stages.studies.arm_rows import arm_rows, has_arms
from idhray.stages.studies.statistics import readings_rows
from idhray.stats.arms.columns import prediction_rows

PREDICTIONS = pd.DataFrame(
    {
        "Patient": ["A", "B"],
        "Truth": ["mutant", "wildtype"],
        "ARM": ["real", "real"],
        "repeat": [1, 1],
        "P mutant": [0.75, 0.25],
    }
)
READINGS = pd.DataFrame(
    {"Reader": ["anna"], "Case": ["c1"], "Judged real": [1], "margin": ["clear"]}
)


def written(tmp_path, frame, kind):
    """The frame as a file of a kind, under a name that says nothing."""
    path, data = tmp_path / "table.dat", io.BytesIO()
    if kind == "workbook":
        frame.to_excel(data, index=False)
    elif kind == "Parquet":
        frame.convert_dtypes().to_parquet(data)
    elif kind == "semicolons":
        data.write(frame.to_csv(index=False, sep=";", decimal=",").encode("utf-16"))
    else:
        data.write(frame.to_json(orient="records", lines=True).encode())
    path.write_bytes(data.getvalue())
    return str(path)


@pytest.mark.parametrize("kind", ["workbook", "Parquet", "semicolons", "JSON lines"])
def test_predictions_of_any_program_are_read(tmp_path, kind):
    """Columns in another case and decimal commas are no reason to refuse a table."""
    path = written(tmp_path, PREDICTIONS, kind)
    rows = prediction_rows(arm_rows((path,))[1])

    assert has_arms((path,))
    assert rows["p_mutant"].tolist() == [0.75, 0.25]
    assert rows["label"].tolist() == [1, 0]


@pytest.mark.parametrize("kind", ["workbook", "Parquet", "semicolons", "JSON lines"])
def test_readings_in_any_format_are_read(tmp_path, kind):
    """Readers send spreadsheets."""
    rows = readings_rows(written(tmp_path, READINGS, kind))

    assert rows[["reader", "case", "judged_real", "margin"]].to_numpy().tolist() == [
        ["anna", "c1", "1", "clear"]
    ]
