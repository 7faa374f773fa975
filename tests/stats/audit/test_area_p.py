"""P beside the interval of an area: gross contradictions, and nothing else."""

from math import inf

import numpy as np
import pytest
from scipy import stats

from idhray.stats.audit.area_p import AREA_P, area_against_p, error_without_effect, z_of_area
from idhray.stats.roc.intervals import hanley_mcneil_se
from tests.stats.auc_intervals import auc_interval

HEADER = "row,auc,auc_low,auc_high,p"


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        pytest.param("0.55,0.44,0.66,<0.001", "contradiction", id="holds .5 in the middle"),
        pytest.param("0.58,0.49,0.67,<0.001", "suspicious", id="holds .5 just so"),
        pytest.param("0.55,0.44,0.66,0.01", "suspicious", id="significant, and holds .5"),
        pytest.param("0.80,0.71,0.89,0.40", "contradiction", id="excludes .5 by far"),
        pytest.param("0.20,0.11,0.29,0.40", "contradiction", id="below .5 likewise"),
        pytest.param("0.72,0.60,0.84,0.09", "suspicious", id="excludes .5 clearly"),
        pytest.param("0.61,0.51,0.71,0.06", None, id="just across"),
        pytest.param("0.58,0.49,0.67,0.04", None, id="just across, the other way"),
        pytest.param("0.55,0.44,0.66,0.37", None, id="sound"),
        pytest.param("0.80,0.71,0.89,<0.001", None, id="sound and significant"),
        pytest.param("1.00,0.54,1.00,0.10", None, id="3 and 3 patients: exact P"),
        pytest.param("0.88,0.48,0.98,<0.001", None, id="a logit interval"),
        pytest.param("0.80,0.85,0.89,0.40", None, id="impossible: told elsewhere"),
        pytest.param("1.05,0.95,1.15,0.40", None, id="out of range: told elsewhere"),
    ],
)
def test_p_of_an_area_is_judged_by_its_interval(rows_of, line, severity):
    """Against 0.5."""
    (row,) = rows_of(HEADER, f"A,{line}")
    found = [*area_against_p(row)]

    assert [one.severity for one in found] == ([severity] if severity else [])
    assert all(one.rule == AREA_P for one in found)


def test_the_finding_says_what_the_interval_means(audit_of):
    """And that P may be of something else."""
    (found,) = audit_of(HEADER, "A,0.80,0.71,0.89,0.40").findings

    assert "excludes 0.5 and means about P = 6e-11, not 0.40" in found.reason
    assert "comparison with another area" in found.fits


def test_a_p_beside_counts_or_an_estimate_is_theirs(rows_of):
    """It is not judged by the area."""
    rows = rows_of(
        f"{HEADER},estimate,counts", "A,0.80,0.71,0.89,0.40,1.3,", "B,0.80,0.71,0.89,0.40,,1/2; 3/4"
    )

    assert [row.has("p_of_area") for row in rows] == [False, False]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("method", ["delong", "hanley-mcneil", "exact binomial", "logit delong"])
def test_sound_areas_are_silent(rows_of, seed, method):
    """Mann and Whitney's P, also of few patients, and of unequal spread; 20 rows each."""
    rng = np.random.default_rng(seed)
    lines = []
    while len(lines) < 20:
        m, w = rng.integers(3, 12, 2) if len(lines) % 2 else rng.integers(20, 90, 2)
        labels = np.r_[np.ones(m, int), np.zeros(w, int)]
        spread = np.where(labels == 1, rng.choice([0.5, 1, 2]), 1)
        scores = rng.normal(size=m + w) * spread + labels * rng.uniform(0, 2)
        area = auc_interval(labels, scores, method)
        if np.isnan(area.ci_low):
            continue
        p = stats.mannwhitneyu(scores[labels == 1], scores[labels == 0]).pvalue
        ends = f"{max(area.ci_low, 0):.3f},{min(area.ci_high, 1):.3f}"
        lines.append(f"A,{area.auc:.3f},{ends},{'<0.001' if p < 0.001 else f'{p:.3f}'}")

    assert [one for row in rows_of(HEADER, *lines) for one in area_against_p(row)] == []


def test_z_of_an_area_allows_for_the_error_without_effect(rows_of):
    """.80 with .09 to each side: 6.5 of its own errors, fewer of those at .5."""
    (row,) = rows_of(HEADER, "A,0.8000,0.7100,0.8900,")
    low, high = z_of_area(row)

    assert high == pytest.approx(0.3 / 0.09 * 1.959964, abs=0.02)
    assert low == pytest.approx(high / error_without_effect(0.8), abs=0.05)
    assert error_without_effect(0.5) == pytest.approx(1)
    assert error_without_effect(1.0) == inf
    assert error_without_effect(0.8) >= hanley_mcneil_se(0.5, 38, 80) / hanley_mcneil_se(
        0.8, 38, 80
    )
