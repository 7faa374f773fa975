"""Widths and shapes of intervals of areas: bounds, faults that are made, and sound intervals."""

import numpy as np
import pytest

from idhray.stats.audit.area_widths import (
    ONE_AREA,
    SHAPE,
    WIDTH,
    lopsided,
    off_width,
    shared_intervals,
)
from idhray.stats.roc.intervals import auc_se_bounds, hanley_mcneil_se
from idhray.stats.text import printed
from tests.stats.auc_intervals import auc_interval

HEADER = "row,repeats,n_mutant,n_wildtype,auc,auc_low,auc_high"


def delong_se(pairs):
    m, w = pairs.shape
    return np.sqrt(pairs.mean(1).var(ddof=1) / m + pairs.mean(0).var(ddof=1) / w)


@pytest.mark.parametrize("seed", range(6))
def test_no_ranking_has_a_standard_error_outside_the_bounds(seed):
    """Smooth scores, coarse scores with many ties, and scores of two or three values."""
    rng = np.random.default_rng(seed)
    for _ in range(300):
        m, w = rng.integers(3, 30, 2)
        step = rng.choice([0.01, 0.5, 2, 4])
        scores = [
            np.round(rng.normal(rng.uniform(0, 3), rng.uniform(0.1, 3), n) / step) for n in (m, w)
        ]
        pairs = (np.sign(scores[0][:, None] - scores[1]) + 1) / 2
        least, most = auc_se_bounds(float(pairs.mean()), m, w)

        assert least - 1e-9 <= delong_se(pairs) <= most + 1e-9


def test_both_bounds_are_reached():
    """Bernoulli placements in the smaller class; a tied block below mutants, above wildtypes."""
    mutants = np.r_[np.ones(15), np.zeros(5)]
    widest = np.tile(mutants[:, None], 30)
    m = w = 1000
    clear = round((1 - np.sqrt(0.5)) * m)
    tied = np.full((m, w), 0.5)
    tied[:clear] = 1
    tied[:, :clear] = 1

    assert delong_se(widest) == pytest.approx(auc_se_bounds(0.75, 20, 30)[1])
    least = auc_se_bounds(float(tied.mean()), m, w)[0]
    assert delong_se(tied) == pytest.approx(least, rel=1e-3)


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        pytest.param("A,,11,33,0.713,0.535,0.892", None, id="Park 2021, reader 1"),
        pytest.param("A,,11,33,0.713,0.686,0.740", "impossible", id="divided by sqrt(n)"),
        pytest.param("A,5,11,33,0.713,0.626,0.800", None, id="half as wide, but a mean"),
        pytest.param("A,,40,40,0.800,0.610,0.990", "impossible", id="twice as wide"),
        pytest.param("A,,40,40,0.800,0.670,0.930", "suspicious", id="1.4 times as wide"),
        pytest.param("A,,40,40,0.800,0.750,0.850", "impossible", id="half as wide"),
        pytest.param("A,,40,40,0.800,0.697,0.882", None, id="exact binomial"),
        pytest.param("A,,,,0.800,0.750,0.850", None, id="no class sizes"),
        pytest.param("A,,1,40,0.800,0.10,1.00", None, id="one mutant"),
    ],
)
def test_widths_are_judged_by_the_class_sizes(rows_of, line, severity):
    """Beyond what any scores allow it is impossible, beyond what is usual suspicious."""
    (row,) = rows_of(HEADER, line)
    severities = [one.severity for one in off_width(row)]

    assert severities == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("line", "leans"),
    [
        pytest.param("A,,,,0.900,0.800,1.000", False, id="symmetric, perhaps cut"),
        pytest.param("A,,,,0.900,0.769,0.961", False, id="symmetric in its logit"),
        pytest.param("A,,,,0.900,0.600,0.961", True, id="lower side too long"),
        pytest.param("A,,,,0.900,0.870,0.990", True, id="upper side too long"),
        pytest.param("A,,,,0.100,0.039,0.231", False, id="the mirror image in its logit"),
        pytest.param("A,,,,0.100,0.010,0.130", True, id="the mirror image of the fourth"),
    ],
)
def test_only_the_side_towards_a_half_may_be_longer(rows_of, line, leans):
    """Up to symmetry of the logit, where no end was cut."""
    (row,) = rows_of(HEADER, line)

    assert [one.rule for one in lopsided(row)] == ([SHAPE] if leans else [])


def test_an_interval_about_two_areas_is_found(rows_of):
    """The odd row is the one whose area is not in the middle; .01 apart may be chance."""
    rows = rows_of(
        HEADER,
        "A,,11,33,0.713,0.535,0.892",
        "B,,11,33,0.747,0.535,0.892",
        "C,,11,33,0.714,0.535,0.892",
        "D,,30,33,0.747,0.535,0.892",
    )
    (found,) = shared_intervals(rows, rows)

    assert (found.line, found.rule) == (3, ONE_AREA)
    assert "row 2 (A) has the same ends about 0.713" in found.reason


@pytest.mark.parametrize("method", ["delong", "hanley-mcneil", "exact binomial", "logit delong"])
def test_sound_intervals_are_never_impossible_and_seldom_suspicious(rows_of, method):
    """200 studies of 6 to 80 patients a class; the benchmark has more."""
    rng = np.random.default_rng(3)
    lines = []
    while len(lines) < 200:
        m, w = rng.integers(6, 80, 2)
        labels = np.r_[np.ones(m, int), np.zeros(w, int)]
        area = auc_interval(labels, rng.normal(size=m + w) + labels * rng.uniform(0.3, 2), method)
        if np.isfinite(area.ci_low) and area.auc < 1:
            ends = [printed(min(max(end, 0), 1)) for end in (area.auc, area.ci_low, area.ci_high)]
            lines.append(f"A,,{m},{w},{','.join(ends)}")
    found = [one for row in rows_of(HEADER, *lines) for one in (*off_width(row), *lopsided(row))]

    assert [one for one in found if one.severity == "impossible"] == []
    assert len(found) <= 8


def test_the_expected_width_is_that_of_hanley_and_mcneil(rows_of):
    """The sentence gives it, so that a reader can judge."""
    (row,) = rows_of(HEADER, "A,,11,33,0.713,0.686,0.740")
    (found,) = off_width(row)

    assert found.rule == WIDTH
    assert f"about {1.96 * hanley_mcneil_se(0.713, 11, 33):.2f} to each side" in found.reason
