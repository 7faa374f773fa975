"""Optimism by bootstrap: against rms::validate, a plain version, and models known to be noise."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from idhray.chance import generator
from idhray.stats.probabilities.calibration import calibration
from idhray.stats.probabilities.optimism import optimism
from idhray.stats.regression.design import Factor
from idhray.stats.regression.quick_logistic import quick_logistic
from idhray.stats.roc.area import auc
from idhray.stats.sample import SampleError, Scored
from tests.stats.conftest import BESIDE_REPOSITORY

FEATURES = {
    "enhancement": ("rim", "nodular", "patch"),
    "location": ("other", "frontal_insula", "thalamus_brainstem"),
    "necrosis": ("yes", "no"),
    "surrounding": ("tumor", "edema"),
    "margin": ("indistinct", "clear"),
}
FACTORS = [Factor(name=name, levels=levels) for name, levels in FEATURES.items()]


class Linear:
    """Log odds that are a sum of the columns x0, x1, ... with an intercept."""

    def __init__(self, beta):
        self.beta = beta

    def p_mutant(self, frame):
        return expit(self.beta[0] + matrix_of(frame) @ self.beta[1:])


def matrix_of(frame):
    """The columns x0, x1, ..."""
    return frame.filter(regex=r"^x\d").to_numpy(float)


def newton(x, y, steps, enough):
    """Coefficients of a logistic regression, stopped once -2 log L changes by less than `enough`.

    The manual of rms::lrm.fit: at most 12 steps, and 0.025 is enough. So R's validate stops at
    large but finite coefficients where separation would lead to infinity.
    """
    x = np.column_stack([np.ones(len(x)), x])
    beta, last = np.zeros(x.shape[1]), np.inf
    for _ in range(steps):
        eta = x @ beta
        deviance = 2 * np.logaddexp(0, np.where(y == 1, -eta, eta)).sum()
        if abs(last - deviance) < enough:
            return beta
        last, p = deviance, expit(eta)
        information = (x.T * (p * (1 - p))) @ x
        if np.linalg.cond(information) > 1e14:
            raise SampleError("singular")
        beta = beta + np.linalg.solve(information, x.T @ (y - p))
    raise SampleError("diverged")


def early(frame, labels):
    """A fit as rms makes it."""
    return Linear(newton(matrix_of(frame), labels, 13, 0.025))


def exact(frame, labels):
    """A fit by maximum likelihood."""
    return Linear(newton(matrix_of(frame), labels, 50, 1e-9))


def made_up(n=80, columns=3, effect=1.0, seed=1):
    """Cases whose first column tells something and whose others are noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, columns))
    labels = (rng.random(n) < expit(effect * x[:, 0])).astype(int)
    return pd.DataFrame(x, columns=[f"x{i}" for i in range(columns)]), labels


@pytest.fixture(scope="module")
def park():
    """The simulated training cases of Park's three models, n = 118, 118 and 156."""
    folder = Path(os.environ.get("IDHRAY_REFERENCE", BESIDE_REPOSITORY))
    path = folder / "stats" / "data" / "park_like.csv"
    if not path.is_file():
        pytest.skip(f"no reference at {path}; set IDHRAY_REFERENCE to the folder that has it")
    table = pd.read_csv(path).query("set == 'train'")
    groups = {"M1": ["mutant"], "M2": ["synthetic"], "M3": ["mutant", "synthetic"]}
    return {
        model: table[table["group"].isin(["wild", *mutants])].reset_index(drop=True)
        for model, mutants in groups.items()
    }


def dummies(cases):
    """The features as columns x0 to x6."""
    columns = [cases[n] == level for n, levels in FEATURES.items() for level in levels[1:]]
    return pd.DataFrame({f"x{i}": c.to_numpy(float) for i, c in enumerate(columns)})


@pytest.mark.parametrize(
    ("model", "of_auc", "slope"),
    [("M1", 0.030, 0.74), ("M2", 0.017, 0.66), ("M3", 0.016, 0.80)],
)
def test_optimism_is_that_of_rms_validate(park, model, of_auc, slope):
    """rms::validate with 400 resamples, on the same cases, within four of their Monte Carlo errors.

    Both samples of resamples are random, hence the root; the published optimism has 3 digits.
    """
    found = optimism(dummies(park[model]), park[model]["idh"], early, resamples=150)

    both = np.sqrt(1 + 150 / 400)
    assert found.auc.optimism == pytest.approx(of_auc, abs=4 * both * found.auc.monte_carlo_se)
    assert found.slope.corrected == pytest.approx(slope, abs=4 * both * found.slope.monte_carlo_se)
    assert found.unfitted < 20


def test_separated_resamples_are_many_counted_and_decide_the_result(park):
    """More than half of model 2's resamples have no finite maximum likelihood estimate.

    Without them its optimism is less than half of what it is with Firth's fit in their place.
    """
    cases = park["M2"][[*FEATURES, "idh"]]
    fit = quick_logistic(FACTORS)

    def refuse(rows, labels):
        if (model := fit(rows, labels)).separated:
            raise SampleError("the predictors separate the classes")
        return model

    kept = optimism(cases, cases["idh"], fit, resamples=60)
    out = optimism(cases, cases["idh"], refuse, resamples=60)

    assert 24 < kept.separated == out.unfitted < 48
    assert (kept.unfitted, out.separated, out.auc.resamples) == (0, 0, 60 - out.unfitted)
    assert f"In {kept.separated} of 60 resamples the classes were separated" in kept.notes[0]
    assert f"{out.unfitted} of 60 resamples could not be fitted" in out.notes[0]
    assert "understated. The first: the predictors separate" in out.notes[0]
    assert kept.auc.optimism > 1.4 * out.auc.optimism > 0


def test_synthetic_cases_train_and_are_never_judged(park):
    """Model 3 looks better with its GAN's images among the judges; without, like model 1."""
    cases = park["M3"]
    synthetic = (cases["group"] == "synthetic").to_numpy()
    everyone = optimism(dummies(cases), cases["idh"], early, resamples=50)
    patients = optimism(dummies(cases), cases["idh"], early, train_only=synthetic, resamples=50)

    own = early(dummies(cases), cases["idh"].to_numpy()).p_mutant(dummies(cases))
    assert patients.auc.apparent == auc(Scored(cases["idh"][~synthetic], own[~synthetic]))
    assert patients.auc.corrected < everyone.auc.corrected
    assert patients.notes[0] == "38 cases only train; the figures are those of the patients."


def test_every_figure_equals_a_plain_bootstrap():
    """The definition in a loop, with `calibration` and `auc` on frames, same draws."""
    frame, labels = made_up()
    found = optimism(frame, labels, exact, resamples=7, seed=3)

    def figures(rows, model):
        p = model.p_mutant(frame.iloc[rows])
        one = calibration(Scored(labels[rows], p))
        area = auc(Scored(labels[rows], p))
        return [area, one.brier, one.slope.value, one.intercept, one.in_the_large.value]

    everyone, differences = np.arange(80), []
    for number in range(7):
        rows = generator(3, "optimism", number).integers(0, 80, size=80)
        model = exact(frame.iloc[rows], labels[rows])
        differences.append(np.subtract(figures(rows, model), figures(everyone, model)))
    apparent = figures(everyone, exact(frame, labels))
    named = (found.auc, found.brier, found.slope, found.intercept, found.in_the_large)
    assert [one.apparent for one in named] == pytest.approx(apparent)
    assert [one.optimism for one in named] == pytest.approx(np.mean(differences, axis=0))
    assert [one.corrected for one in named] == pytest.approx(
        apparent - np.mean(differences, axis=0)
    )
    error = np.std(differences, axis=0, ddof=1) / np.sqrt(7)
    assert [one.monte_carlo_se for one in named] == pytest.approx(error)


def test_noise_is_brought_back_to_chance():
    """Twelve columns of noise on 60 cases look like a model; corrected, they do not."""
    frame, labels = made_up(60, columns=12, effect=0.0)
    found = optimism(frame, labels, early, resamples=60)

    assert found.auc.apparent > 0.65
    assert abs(found.auc.corrected - 0.5) < 0.12
    assert found.slope.corrected < 0.5
    assert found.brier.corrected > found.brier.apparent


def test_a_model_that_is_given_has_no_optimism():
    """What is not fitted cannot be overfitted."""
    frame, labels = made_up(200)
    found = optimism(frame, labels, lambda *_: Linear(np.array([0.0, 1, 0, 0])), resamples=100)

    for one in (found.auc, found.brier, found.slope, found.intercept, found.in_the_large):
        assert abs(one.optimism) < 4 * one.monte_carlo_se
    assert found.notes == ()


def test_the_seed_decides_and_more_resamples_only_add():
    """Resample 5 is the same whether 6 or 600 are drawn, on any worker."""
    frame, labels = made_up()
    seen = []

    def noted(rows, drawn_labels):
        seen.append(rows["x0"].sum())
        return exact(rows, drawn_labels)

    first = optimism(frame, labels, noted, resamples=6)
    optimism(frame, labels, noted, resamples=8)

    assert seen[:7] == seen[7:14]
    assert first == optimism(frame, labels, exact, resamples=6)
    assert first.auc.optimism != optimism(frame, labels, exact, resamples=6, seed=1).auc.optimism


def test_resamples_of_one_class_are_counted():
    """Two mutants of six are both missed in (4/6)^6 = 8.8% of the resamples."""
    frame = pd.DataFrame({"x0": [1.0, 3, 2, 0, 4, 2.5]})
    found = optimism(
        frame, [1, 1, 0, 0, 0, 0], lambda *_: Linear(np.array([0, 1.0])), resamples=100
    )

    assert 1 < found.one_class < 22
    assert found.auc.resamples == 100 - found.one_class
    assert f"{found.one_class} of 100 resamples, of one class, are left out." in found.notes


def test_a_score_that_separates_has_no_slope_but_an_auc():
    """NaN with its reason; the other figures stay."""
    frame, labels = pd.DataFrame({"x0": [0.0, 1, 2, 3, 4, 5, 6, 7]}), [0, 0, 0, 0, 1, 1, 1, 1]
    found = optimism(frame, labels, lambda *_: Linear(np.array([-3.5, 1])), resamples=30)

    assert (found.auc.apparent, found.auc.corrected) == (1, 1)
    assert np.isnan([found.slope.apparent, found.slope.corrected]).all()
    assert "No calibration slope" in found.notes[-1]


def test_resamples_without_a_slope_are_counted_in_the_slope_alone():
    """One patient out of order, who is not drawn in a third of the resamples."""
    frame, labels = pd.DataFrame({"x0": np.arange(12.0)}), [0, 0, 0, 0, 0, 1, 0, 1, 1, 1, 1, 1]
    found = optimism(frame, labels, lambda *_: Linear(np.array([-5.5, 1])), resamples=100)

    fewer = found.auc.resamples - found.slope.resamples
    assert 20 < fewer < 80
    assert f"{fewer} more resamples have no calibration slope" in found.notes[-1]


def test_a_fit_that_never_succeeds_is_an_error():
    """The first reason is handed on; the fit to the cases themselves had worked."""
    frame, labels = made_up()

    def refuse(rows, drawn_labels):
        if not rows.equals(frame):
            raise SampleError("too few rows")
        return exact(rows, drawn_labels)

    with pytest.raises(SampleError, match="none of 5 resamples could be fitted: too few rows"):
        optimism(frame, labels, refuse, resamples=5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"truth": [1] * 80}, "both classes", id="one class"),
        pytest.param({"truth": [0, 1]}, "2 labels, but 80 rows", id="lengths"),
        pytest.param({"train_only": [1] * 80}, "True and False", id="not flags"),
        pytest.param({"train_only": [True] * 80}, "0 mutant and 0 wildtype", id="nobody judged"),
    ],
)
def test_bad_cases_are_refused(given, message):
    """Before anything is fitted."""
    frame, labels = made_up()
    arguments = {"truth": labels, **given}

    with pytest.raises(SampleError, match=message):
        optimism(frame, arguments.pop("truth"), exact, resamples=3, **arguments)
