"""The plan as a stage: a table, plain figures, one-line refusals."""

import json

import numpy as np
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


def test_folds_repeats_and_sds_plan_an_experiment(tmp_path):
    """The design's own figures, per correlation of the arms' scores."""
    out = tmp_path / "plan.json"
    figures = plan(
        PlanFlags(
            patients=62,
            mutant=31,
            auc=0.8,
            folds=5,
            repeats=3,
            training_sd=0.02,
            generator_sd=0.01,
            gain=0.1,
            correlations=(0.8,),
            out=str(out),
        )
    )
    text = figures.pop("text")
    figures.pop("out")
    [column] = figures["experiment"]

    assert json.loads(out.read_text()) == figures
    assert "5 folds, 3 repeats" in text
    assert (column["correlation"], column["training_correlation"]) == (0.8, 1.0)
    assert column["training_sd_auc"] == pytest.approx(0.02, abs=1e-6)
    assert column["gains"][0]["power_of_all"] < column["gains"][0]["power"]
    json.dumps(figures, allow_nan=False)


def pilot_file(path):
    """Predictions of 60 patients, 3 folds, 3 repeats and two arms."""
    rng = np.random.default_rng(0)
    patient_part = rng.normal(size=60)
    rows = ["patient,label,fold,repeat,arm,p_mutant"]
    for repeat in range(3):
        for arm in ("real", "synthetic:600"):
            scores = 1.3 * (np.arange(60) % 2) + patient_part + 0.5 * rng.normal(size=60)
            rows += [
                f"P{number},{number % 2},{number // 2 % 3},{repeat},{arm},{p}"
                for number, p in enumerate(1 / (1 + np.exp(-scores)))
            ]
    path.write_text("\n".join(rows))


def test_a_pilot_and_a_manifest_give_variances_and_patients(tmp_path):
    """Predictions as `fit-stats` takes them; the classes are counted in the manifest."""
    pilot, manifest = tmp_path / "pilot.csv", tmp_path / "manifest.csv"
    pilot_file(pilot)
    classes = ["mutant"] * 40 + ["wildtype"] * 60 + [""]
    rows = [f"P{number},{idh}" for number, idh in enumerate(classes)]
    manifest.write_text("\n".join(["patient,idh", *rows]))
    figures = plan(
        PlanFlags(pilot=str(pilot), manifest=str(manifest), folds=4, repeats=4, gain=0.05)
    )

    assert (figures["mutant"], figures["wildtype"], figures["folds"]) == (40, 60, 4)
    assert figures["experiment"][0]["name"] == "pilot"
    assert "Pilot: synthetic:600 against real, 30 mutant and 30 wildtype" in figures["text"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patients": None, "mutant": None}, "give --patients and --mutant, or --manifest"),
        ({"patients": None}, "belong together"),
        ({"auc": None}, "give --auc"),
        ({"folds": 12, "repeats": 3}, "1 to 8 folds are possible"),
        ({"folds": 0}, "1 to 8 folds are possible"),
        ({"folds": 2, "repeats": 2}, "needs 3 or more"),
        ({"folds": 2, "training_sd": 0.6}, "SD of an AUC of 0.8"),
        ({"folds": 2, "training_correlation": 0.4}, "agree at least as well"),
    ],
)
def test_an_experiment_that_cannot_be_is_one_line(change, message):
    """Folds, repeats and SDs that lead to no verdict."""
    values = {"patients": 34, "mutant": 18, "auc": 0.8, **change}
    with pytest.raises(ConfigError, match=message) as caught:
        plan(PlanFlags(**values))
    assert "\n" not in str(caught.value)
