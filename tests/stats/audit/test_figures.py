"""Intervals of shares: every usual method, faults that are made, and the rules of every figure."""

import numpy as np
import pytest

from idhray.stats.accuracy.rates import proportion
from idhray.stats.audit.figures import FIGURES, SHARES_WITH_INTERVAL, holds_rule, outside
from idhray.stats.audit.reported import COLUMNS
from idhray.stats.audit.share_intervals import (
    fitting_share_methods,
    off_share_interval,
    patients_of,
    share_intervals,
)
from idhray.stats.text import printed

HEADER = "row,repeats,n_mutant,n_wildtype,sensitivity,sensitivity_low,sensitivity_high"


def test_wilson_and_exact_intervals_are_those_of_our_tables():
    """So that our own tables fit their methods."""
    ours = proportion(13, 18)
    intervals = share_intervals(13 / 18, 18)

    assert intervals["Wilson"] == pytest.approx((ours.wilson_low, ours.wilson_high))
    assert intervals["exact binomial"] == pytest.approx((ours.exact_low, ours.exact_high))


def test_wilson_with_continuity_correction_matches_newcombe_1998():
    """Newcombe's table I: 81/263, 15/148, 0/20 and 1/29."""
    name = "Wilson with continuity correction"
    cases = {(81, 263): (0.2535, 0.3682), (15, 148): (0.0598, 0.1644), (0, 20): (0, 0.2005)}
    for (k, n), ends in {**cases, (1, 29): (0.0018, 0.1963)}.items():
        assert share_intervals(k / n, n)[name] == pytest.approx(ends, abs=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_a_sound_interval_is_recognized_as_its_method(rows_of, seed):
    """All k of n, with 2 or 3 decimals."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 60))
    for k in range(n + 1):
        for method, ends in share_intervals(k / n, n).items():
            texts = ",".join(printed(value, 2 + seed % 2) for value in (k / n, *ends))
            (row,) = rows_of(HEADER, f"A,,{n},9,{texts}")

            assert method in fitting_share_methods("sensitivity", row)
            assert [*off_share_interval("sensitivity", row)] == []


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        pytest.param("A,,18,16,0.722,0.491,0.875", None, id="Wilson"),
        pytest.param("A,,18,16,0.722,0.500,0.900", "remark", id="near them: a bootstrap"),
        pytest.param("A,,18,16,0.722,0.690,0.750", "suspicious", id="far too narrow"),
        pytest.param("A,,18,16,0.722,0.200,0.990", "suspicious", id="far too wide"),
        pytest.param("A,5,18,16,0.733,0.502,0.882", None, id="Wilson of a mean of 13.2"),
        pytest.param("A,,,,0.722,0.690,0.750", None, id="number of patients unknown"),
    ],
)
def test_intervals_of_shares_are_judged_by_their_count(audit_of, line, severity):
    """A bootstrap differs a little from all methods, an interval of other patients by much."""
    audit = audit_of(HEADER, line)
    rule = "sensitivity interval follows from its count"
    found = [one for one in (*audit.findings, *audit.remarks) if one.rule == rule]

    assert [one.severity for one in found] == ([severity] if severity else [])


def test_an_interval_of_another_count_is_named(rows_of):
    """The exact interval of 16/18 beside 13/18."""
    low, high = (printed(end) for end in share_intervals(16 / 18, 18)["exact binomial"])
    (row,) = rows_of(HEADER, f"A,,18,16,0.722,{low},{high}")
    (found,) = off_share_interval("sensitivity", row)

    assert found.fits == "the exact binomial interval of 16/18"


def test_predictive_values_are_shares_of_those_called_so(rows_of):
    """13 of 18 and 13 of 16: 16 called mutant, 18 wildtype; of a mean it is not known."""
    one, mean = rows_of(
        "row,repeats,n_mutant,n_wildtype,sensitivity,specificity,ppv,ppv_low,ppv_high",
        "A,,18,16,0.722,0.813,0.813,0.570,0.934",
        "B,5,18,16,0.722,0.813,0.813,0.570,0.934",
    )

    assert (patients_of("ppv", one), patients_of("npv", one)) == (16, 18)
    assert "Wilson" in fitting_share_methods("ppv", one)
    assert patients_of("ppv", mean) is None


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_every_figure_with_an_interval_has_every_rule(rows_of, audit_of, figure):
    """Columns exist; an interval that excludes its figure is impossible; ranges are asked."""
    header = "row," + ",".join(figure.columns)
    sound, reverse, excluded = rows_of(header, "A,.7,.6,.8", "B,.7,.8,.6", "C,.7,.8,.9")
    found = [[one.rule for one in outside(figure, row)] for row in (sound, reverse, excluded)]

    assert set(figure.columns) <= set(COLUMNS)
    assert found == [[], [holds_rule(figure)], [holds_rule(figure)]]
    assert audit_of(header, "A,.7,.6,.8").findings == ()


@pytest.mark.parametrize("figure", SHARES_WITH_INTERVAL[:3], ids=lambda figure: figure.name)
def test_two_methods_of_one_share_are_one_finding(audit_of, figure):
    """Wald's in one row, exact ones in the other."""
    header = "row,n,n_mutant,n_wildtype," + ",".join(figure.columns)
    ends = [share_intervals(0.75, 40)[method] for method in ("Wald", "exact binomial")]
    lines = [f"A,80,40,40,0.750,{low:.4f},{high:.4f}" for low, high in ends]
    if figure.name == "accuracy":
        lines = [line.replace("80,40,40", "40,20,20") for line in lines]
    found = audit_of(header, *lines).findings

    assert [one.rule for one in found] == [f"{figure.name} intervals are of one method"]
    assert "row 2 fits the Wald method only" in found[0].reason
