"""Contrasts of arms against R, a plain computation, and Holm's adjustment."""

import json
import os

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from idhray.errors import ConfigError
from idhray.stats.arms.contrasts import (
    ArmAreas,
    arm_contrasts,
    contrast_table,
    fold_means_contrast,
)
from idhray.stats.arms.decision import deciding_test
from idhray.stats.arms.predictions import arm_predictions
from idhray.stats.arms.rule import DecisionRule
from tests.stats.conftest import BESIDE_REPOSITORY

RULE = DecisionRule(primary="synthetic:60", controls=("duplicate:60",))
ARMS = {
    "real": 0.0,
    "synthetic:60": 0.1,
    "synthetic:30": 0.1,
    "duplicate:60": 0.0,
    "shuffled:60": -0.3,
    "real+online": 0.2,
    "synthetic:60+online": 0.3,
}


@pytest.fixture(scope="module")
def contrasts(experiment):
    """Contrasts of seven arms."""
    predictions = arm_predictions(experiment(ARMS, folds=5))
    return arm_contrasts(ArmAreas(predictions), RULE, predictions.repeats)


@pytest.mark.parametrize("name", ["one_split", "five_folds", "eight_folds_ties", "imbalanced"])
def test_a_contrast_equals_that_of_r(name):
    """MRMCaov by fold, combined over folds."""
    folder = os.environ.get("IDHRAY_REFERENCE", str(BESIDE_REPOSITORY))
    path = os.path.join(folder, "mrmc")
    if not os.path.isdir(path):
        pytest.skip(f"no reference at {path}; set IDHRAY_REFERENCE to the folder that has it")
    predictions = arm_predictions(pd.read_csv(os.path.join(path, f"{name}.csv")))
    with open(os.path.join(path, "folds.json")) as file:
        expected = json.load(file)[name]
    rule = DecisionRule(primary="synthetic")

    (item,) = arm_contrasts(ArmAreas(predictions), rule, predictions.repeats)
    test = item.contrast
    values = (test.difference, test.se, test.df, test.t, test.p, test.ci_low, test.ci_high)
    keys = ("difference", "standard_error", "df", "t", "p_value", "lower", "upper")
    assert values == pytest.approx([expected[key] for key in keys], abs=1e-9, rel=1e-9)


def test_every_arm_has_its_contrast_and_its_role(contrasts):
    """Arms with online augmentation are compared with the baseline that has it, too."""
    pairs = [(c.arm, c.baseline, c.role) for c in contrasts]

    assert pairs[:2] == [
        ("synthetic:60", "real", "primary"),
        ("synthetic:60", "duplicate:60", "control"),
    ]
    assert set(pairs[2:]) == {
        ("synthetic:30", "real", "secondary"),
        ("duplicate:60", "real", "secondary"),
        ("shuffled:60", "real", "secondary"),
        ("real+online", "real", "secondary"),
        ("synthetic:60+online", "real+online", "secondary"),
    }


def test_holm_covers_the_secondary_contrasts_alone(contrasts):
    """Primary and controls are one claim; P of the others is multiplied by their rank from last."""
    table = contrast_table(contrasts, [item.contrast for item in contrasts])
    secondary = table[table["role"] == "secondary"].sort_values("p")
    plain = np.maximum.accumulate(secondary["p"].to_numpy() * np.arange(5, 0, -1)).clip(max=1)

    assert table.loc[table["role"] != "secondary", "p_holm"].isna().all()
    assert secondary["p_holm"].to_numpy() == pytest.approx(plain)
    assert list(table.columns[:2]) == ["arm", "baseline"]
    assert list(table.columns[2:9]) == ["estimate", "se", "df", "t", "p", "ci_low", "ci_high"]


def test_fold_means_are_judged_by_students_t():
    """A generator per fold makes the fold the unit."""
    differences = np.random.default_rng(3).normal(0.02, 0.05, (6, 3))
    test = fold_means_contrast(differences)
    plain = stats.ttest_1samp(differences.mean(axis=1), 0)

    assert (test.t, test.p) == pytest.approx((plain.statistic, plain.pvalue))
    assert (test.ci_low, test.ci_high) == pytest.approx(tuple(plain.confidence_interval()))
    assert test.interval(0.9) == pytest.approx(tuple(plain.confidence_interval(0.9)))
    assert fold_means_contrast(differences[:4]) is None


def test_only_a_generator_per_fold_is_judged_over_fold_means(contrasts):
    """With one per fold and repeat, trainings are readers."""
    per_fold = DecisionRule(primary="synthetic:60", generators="per fold")
    per_repeat = DecisionRule(primary="synthetic:60", generators="per fold and repeat")

    assert deciding_test(contrasts[0], per_fold) is contrasts[0].fold_means
    assert deciding_test(contrasts[0], per_repeat) is contrasts[0].contrast


def test_pairing_is_measured_by_the_variance_of_differences(experiment):
    """Arms that share the luck of a training have small differences; a plain computation."""
    predictions = arm_predictions(experiment(ARMS, training_sd=0.5, arm_sd=0.0, noise=0.0))
    areas = ArmAreas(predictions)
    item = arm_contrasts(areas, RULE, predictions.repeats)[0]
    new, old = (areas.areas(arm, (1, 2, 3)) for arm in ("synthetic:60", "real"))
    plain = sum(np.var(new[k] - old[k], ddof=1) for k in range(3)) / sum(
        np.var(new[k], ddof=1) + np.var(old[k], ddof=1) for k in range(3)
    )

    assert item.variance_ratio == pytest.approx(plain)
    assert item.variance_ratio < 0.3


def test_a_contrast_uses_the_repeats_that_both_arms_have(experiment):
    """The third repeat of the control is lost: the primary contrast keeps its three."""
    rows = experiment(ARMS)
    lost = (rows["arm"] == "duplicate:60") & (rows["repeat"] == 3) & (rows["fold"] == 2)
    predictions = arm_predictions(rows[~lost])
    primary, control, *_ = arm_contrasts(ArmAreas(predictions), RULE, predictions.repeats)

    assert primary.repeats == (1, 2, 3)
    assert control.repeats == (1, 2)


def test_an_absent_arm_is_named(experiment):
    """The message lists the arms that exist."""
    predictions = arm_predictions(experiment({"real": 0.0, "synthetic:30": 0.0}))

    with pytest.raises(ConfigError, match="'synthetic:60' has no predictions; arms: real"):
        arm_contrasts(ArmAreas(predictions), RULE, predictions.repeats)
