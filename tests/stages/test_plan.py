"""The plan as a stage: a table, plain figures, one-line refusals."""

import json

import pytest

from idhray.errors import ConfigError
from idhray.stages.plan import PlanFlags, plan


def test_a_plan_is_a_table_and_plain_figures(tmp_path):
    """`text` is printed above the JSON line; the rest is what the file holds."""
    out = tmp_path / "plan.json"
    found = plan(
        PlanFlags(patients=34, mutant=18, auc=0.92, gain=0.07, correlations=(0.9,), out=str(out))
    )
    text = found.pop("text")

    assert "34 test patients (18 mutant, 16 wildtype)" in text
    assert found.pop("out") == str(out)
    assert json.loads(out.read_text()) == found
    assert (found["patients"], found["mutant"], found["wildtype"]) == (34, 18, 16)
    assert found["detectable_auc"][0]["auc"] is None
    assert [one["gain"] for one in found["gains"]] == [0.07]
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mutant": 34}, "34 mutant of 34 patients"),
        ({"mutant": 40}, "40 mutant of 34 patients"),
        ({"mutant": 1}, "two mutant and two wildtype"),
        ({"mutant": 33}, "two mutant and two wildtype"),
        ({"patients": -3}, "18 mutant of -3"),
        ({"auc": 0.5}, "between 0.5 and 1"),
        ({"auc": float("nan")}, "between 0.5 and 1"),
        ({"gain": 0.2}, "at most 1"),
        ({"gain": -0.1}, "at most 1"),
        ({"power": 1.0}, "power must lie"),
        ({"correlations": (1.5,)}, "below 1"),
        ({"correlations": ()}, "needs a correlation"),
    ],
)
def test_nonsense_is_one_line_and_writes_nothing(tmp_path, change, message):
    """The command line turns a ConfigError into exit code 2."""
    out = tmp_path / "plan.json"
    values = {"patients": 34, "mutant": 18, "auc": 0.92, "out": str(out), **change}

    with pytest.raises(ConfigError, match=message) as caught:
        plan(PlanFlags(**values))
    assert "\n" not in str(caught.value)
    assert not out.exists()
