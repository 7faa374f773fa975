"""Stepwise choice by whole factors: R's paths, and every step by a slow plain version."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from idhray.stats.regression.candidates import lean_models
from idhray.stats.regression.design import Covariate, Factor
from idhray.stats.regression.logistic import FIRTH, fit_logistic, labeled_design
from idhray.stats.regression.stepwise import chosen_in, stepwise
from idhray.stats.sample import SampleError
from tests.stats.park_models import assert_close, predictors_of, simulated

NAMES = ("a", "b", "c", "d")
PREDICTORS = [
    Covariate(name="a"),
    Covariate(name="b"),
    Covariate(name="c"),
    Factor(name="d", levels=("x", "y", "z")),
]


def made_up(seed, n=90):
    """Two numbers that matter, one that does not, and a factor of three levels that may."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, 3)), columns=list("abc"))
    frame["d"] = rng.choice(["x", "y", "z"], n)
    logit = 0.9 * frame["a"] - 0.6 * frame["b"] + 0.8 * (frame["d"] == "z")
    return frame, (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(int)


def plain_fit(frame, labels, names):
    """statsmodels' log-likelihood and number of coefficients."""
    columns = {name: [frame[name]] for name in "abc"}
    columns["d"] = [frame["d"] == "y", frame["d"] == "z"]
    chosen = [np.ones(len(frame)), *(one for name in names for one in columns[name])]
    fit = sm.Logit(labels, np.column_stack(chosen).astype(float)).fit(disp=0)
    return fit.llf, len(chosen)


def slow_backward(frame, labels, alpha):
    """Drop the largest likelihood-ratio P above alpha, by refitting everything with statsmodels."""
    names = list(NAMES)
    while names:
        full, count = plain_fit(frame, labels, names)
        p = {}
        for name in names:
            less, fewer = plain_fit(frame, labels, [one for one in names if one != name])
            p[name] = stats.chi2.sf(2 * (full - less), count - fewer)
        worst = max(p, key=p.get)
        if p[worst] <= alpha:
            break
        names.remove(worst)
    return tuple(names)


def test_the_path_by_aic_is_that_of_r_step(reference, reference_data):
    """MASS::stepAIC and step: the same changes in the same order, and the same final model."""
    levels, data = reference("manifest")["levels"], reference_data("park_like")
    for case in reference("stepwise"):
        frame = simulated(data, int(case["id"][-1]))
        predictors = predictors_of(case["candidates"], levels)
        found = stepwise(frame, frame["idh"], predictors, rule="aic")
        expected = case["aic_backward"]

        assert list(found.chosen) == expected["final"]
        assert [step.change for step in found.trace[:-1]] == expected["steps"][1:]
        assert_close([step.aic for step in found.trace], expected["steps_aic"], "AIC")
        assert_close(found.fit.beta, expected["coef"], "coefficients")


@pytest.mark.parametrize(
    ("rule", "alpha", "key"),
    [
        ("lr", 0.05, "p_backward_LR_0.05"),
        ("lr", 0.10, "p_backward_LR_0.10"),
        ("wald", 0.05, "p_backward_Wald_0.05"),
    ],
)
def test_backward_elimination_by_p_is_that_of_r(reference, reference_data, rule, alpha, key):
    """drop1 or wald.test, refitted at every step; BIC and rms::fastbw end at the same models."""
    levels, data = reference("manifest")["levels"], reference_data("park_like")
    for case in reference("stepwise"):
        frame = simulated(data, int(case["id"][-1]))
        predictors = predictors_of(case["candidates"], levels)
        found = stepwise(frame, frame["idh"], predictors, rule=rule, alpha=alpha)
        by_bic = stepwise(frame, frame["idh"], predictors, rule="bic")
        expected = case[key]

        assert list(found.chosen) == expected["final"]
        assert [list(step.predictors) for step in found.trace] == [
            step["terms"] for step in expected["trace"]
        ]
        for step, theirs in zip(found.trace, expected["trace"], strict=True):
            assert_close(step.aic, theirs["aic"], "AIC")
            assert_close([step.p[name] for name in theirs["terms"]], theirs["p"], "P")
        assert_close(found.fit.beta, expected["coef"], "coefficients")
        assert list(by_bic.chosen) == case["bic_backward_final"]
        if rule == "wald":  # fastbw approximates the refits; on these data it ends alike
            assert list(found.chosen) == case["rms_fastbw_p05"]


@pytest.mark.parametrize("seed", range(5))
def test_backward_equals_the_slow_plain_version(seed):
    """Also where a factor of two degrees of freedom is what goes."""
    frame, labels = made_up(seed)

    assert stepwise(frame, labels, PREDICTORS).chosen == slow_backward(frame, labels, 0.05)
    looser = stepwise(frame, labels, PREDICTORS, alpha=0.3)
    assert looser.chosen == slow_backward(frame, labels, 0.3)


@pytest.mark.parametrize("rule", ["lr", "wald", "aic", "bic"])
def test_the_choice_alone_is_that_of_the_full_report(rule):
    """Resampling repeats the choice hundreds of times and needs no intervals."""
    for seed in range(3):
        frame, labels = made_up(seed)
        whole = stepwise(frame, labels, PREDICTORS, rule=rule)

        models = lean_models(*reversed(labeled_design(frame, labels, PREDICTORS)))
        assert chosen_in(models, rule=rule, alpha=0.05) == whole.chosen


def test_the_trace_says_what_was_done_and_why():
    """A reader can follow each step without running it again."""
    frame, labels = made_up(0)
    found = stepwise(frame, labels, PREDICTORS)
    first, last = found.trace[0], found.trace[-1]
    removed = first.change.removeprefix("- ")
    whole = fit_logistic(frame, labels, PREDICTORS).factor_tests

    assert found.rule == "backward by likelihood ratio at P 0.05"
    assert first.predictors == NAMES
    assert first.p == pytest.approx({name: whole[name][0].p for name in NAMES})
    assert first.p[removed] == max(first.p.values())
    assert first.reason == f"P {first.p[removed]:.3g} is the largest and above 0.05"
    assert (last.change, last.reason) == ("", "no P leads to a change at 0.05")
    assert [one.test.df for one in first.candidates] == [1, 1, 1, 2]


def test_nothing_may_be_left():
    """Pure noise ends at the intercept alone, and a note says so."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"a": rng.normal(size=60)})
    found = stepwise(frame, [0, 1] * 30, [Covariate(name="a")], alpha=0.01)

    assert found.chosen == ()
    assert len(found.fit.terms) == 1
    assert found.notes == ("No predictor is left: the model has the intercept alone.",)


def test_separated_predictors_are_chosen_by_the_penalized_likelihood():
    """Maximum likelihood would give the separating finding no finite Wald test at all."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"a": rng.normal(size=44), "clear": ["yes"] * 6 + ["no"] * 38})
    labels = [1] * 11 + [0] * 33
    predictors = [Covariate(name="a"), Factor(name="clear", levels=("no", "yes"))]
    found = stepwise(frame, labels, predictors)

    assert found.chosen == ("clear",)
    assert found.fit.method == FIRTH
    assert found.trace[0].candidates[0].test.method == "penalized likelihood ratio"
    assert "separation by clear: yes, not no: every model was fitted by Firth" in found.notes[0]


@pytest.mark.parametrize("alpha", [0, 1, 5])
def test_alpha_outside_0_to_1_is_refused(alpha):
    """5 is not 5%."""
    with pytest.raises(SampleError, match="alpha"):
        stepwise(*made_up(0), PREDICTORS, alpha=alpha)
