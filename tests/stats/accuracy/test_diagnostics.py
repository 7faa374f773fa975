"""Figures of a 2 x 2 table: against R's epiR, closed forms, and tables with empty cells."""

import numpy as np
import pytest

from idhray.stats.accuracy.diagnostics import diagnostics_at
from idhray.stats.accuracy.rates import accuracy_at
from idhray.stats.sample import SampleError, Scored


def number(value):
    """R's NA and Inf as JSON has them."""
    return np.nan if value is None else float(value)


def diagnostics(tp, fn, fp, tn):
    """The figures of a table, spelled out as patients with the score 1 or 0."""
    truth = [1] * (tp + fn) + [0] * (fp + tn)
    called = [1] * tp + [0] * fn + [1] * fp + [0] * tn
    return diagnostics_at(Scored(truth, called), 0.5)


def test_all_figures_are_those_of_epir(reference):
    """epi.tests, binom.test and prop.test on the 2x2 tables of both papers."""
    for case in reference("diagnostic"):
        found = diagnostics(case["tp"], case["fn"], case["fp"], case["tn"])
        shares = {
            "sens": found.sensitivity,
            "spec": found.specificity,
            "ppv": found.ppv,
            "npv": found.npv,
        }
        for name, share in shares.items():
            exact = (share.exact_low, share.exact_high)
            assert share.value == pytest.approx(case[name], abs=1e-6), case["id"]
            assert exact == pytest.approx(case[f"{name}_exact"], abs=1e-6), case["id"]
            if f"{name}_wilson" in case:
                wilson = (share.wilson_low, share.wilson_high)
                assert wilson == pytest.approx(case[f"{name}_wilson"], abs=1e-6), case["id"]
        estimates = {
            "lr_pos": found.lr_positive,
            "lr_neg": found.lr_negative,
        }
        for name, one in estimates.items():
            expected = [number(value) for value in case["epiR"][name]]
            assert (one.value, one.ci_low, one.ci_high) == pytest.approx(
                expected, rel=1e-6, abs=1e-6, nan_ok=True
            ), (case["id"], name)
        assert found.balanced_accuracy == pytest.approx(case["balanced_acc"], abs=1e-6)


def test_a_row_of_liu_2020_restated_from_epir():
    """Table 2, test, +3K: 16 of 18 mutants and 13 of 16 wildtypes; epiR 2.0.57."""
    found = diagnostics(16, 2, 3, 13)

    assert (found.ppv.value, found.npv.value) == (16 / 19, 13 / 15)
    assert (found.ppv.exact_low, found.ppv.exact_high) == pytest.approx(
        (0.604215448733326, 0.966173750998235), abs=1e-12
    )
    assert (found.lr_positive.ci_low, found.lr_positive.ci_high) == pytest.approx(
        (1.68742158984453, 13.3189138423847), rel=1e-12
    )
    assert found.balanced_accuracy == pytest.approx((16 / 18 + 13 / 16) / 2)
    assert found.notes == ()


def test_the_ratio_of_likelihood_ratios_is_the_odds_ratio():
    """LR+ / LR- = (TP TN) / (FN FP)."""
    found = diagnostics(22, 16, 4, 76)

    assert found.lr_positive.value / found.lr_negative.value == pytest.approx(22 * 76 / (16 * 4))


def test_scores_and_counts_give_the_same():
    """Called mutant from the threshold on; sensitivity and the rest as in `accuracy_at`."""
    truth = [1, 1, 1, 0, 0, 0, 0]
    scores = [0.9, 0.5, 0.2, 0.7, 0.5, 0.1, 0.3]
    found = diagnostics_at(Scored(truth, scores), 0.5)

    assert found == diagnostics(2, 1, 2, 2)
    assert found.sensitivity == accuracy_at(Scored(truth, scores), 0.5).sensitivity


def test_repeats_give_the_mean_table():
    """Tables 2, 0, 0, 2 and 1, 1, 1, 1: PPV is 1.5 of 2, its spread that of 1 and .5."""
    found = diagnostics_at(Scored([1, 1, 0, 0], [[0.9, 0.9, 0.1, 0.1], [0.9, 0.1, 0.9, 0.1]]), 0.5)

    assert (found.tp, found.fn, found.fp, found.tn) == (1.5, 0.5, 0.5, 1.5)
    assert (found.ppv.value, found.ppv.n) == (0.75, 2)
    assert found.ppv.sd_repeats == pytest.approx(np.std([1, 0.5], ddof=1))


@pytest.mark.parametrize(
    ("counts", "missing", "note"),
    [
        pytest.param((0, 5, 0, 7), "ppv", "Nobody is called mutant", id="none called"),
        pytest.param((5, 0, 7, 0), "npv", "Nobody is called wildtype", id="all called"),
    ],
)
def test_a_predictive_value_of_nobody_is_nan_with_its_reason(counts, missing, note):
    """0 of 0 is no proportion."""
    found = diagnostics(*counts)

    assert np.isnan(getattr(found, missing).value)
    assert note in found.notes[0]


@pytest.mark.parametrize(
    ("counts", "positive", "negative", "note"),
    [
        pytest.param((4, 7, 0, 33), np.inf, 7 / 11, "FP 0", id="Park 2021, reader 1, model 1"),
        pytest.param((5, 0, 1, 6), 7.0, 0.0, "FN 0", id="every mutant found"),
        pytest.param((5, 0, 0, 7), np.inf, 0.0, "FN and FP 0", id="perfect"),
    ],
)
def test_an_empty_cell_is_noted(counts, positive, negative, note):
    """Ratios of 0 or infinity lack a limit, and a note names the cell."""
    found = diagnostics(*counts)

    assert found.lr_positive.value == pytest.approx(positive)
    assert found.lr_negative.value == pytest.approx(negative)
    assert note in found.notes[0]


def test_a_missing_threshold_is_refused():
    """Everybody would be called wildtype."""
    with pytest.raises(SampleError, match="threshold is NaN"):
        diagnostics_at(Scored([1, 0], [1, 0]), np.nan)
