"""Intervals of areas: the methods behind Park's table 3, made-up ones, and P beside them."""

from math import inf

import numpy as np
import pytest
from scipy import stats

from idhray.stats.audit.area_intervals import (
    AREA_P,
    area_against_p,
    error_without_effect,
    fitting_methods,
    z_of_area,
)
from idhray.stats.audit.area_widths import WIDTH, off_width
from idhray.stats.audit.figures import AREA, method_rule, mixed_methods, outside
from idhray.stats.roc.intervals import hanley_mcneil_se
from idhray.stats.text import printed
from tests.stats.auc_intervals import auc_interval

HEADER = "row,n,n_mutant,n_wildtype,auc,auc_low,auc_high"
TRAINING = ["A,118,38,80,0.864,0.789,0.920", "B,156,76,80,0.899,0.841,0.942"]
VALIDATION = ["C,44,11,33,0.713,0.535,0.892", "D,44,11,33,0.871,0.722,1.00"]


@pytest.mark.parametrize(
    ("line", "methods"),
    [
        pytest.param(TRAINING[0], ("exact binomial",), id="Park 2021, training, model 1"),
        pytest.param("A,118,38,80,0.958,0.904,0.986", ("exact binomial",), id="training, model 2"),
        pytest.param(TRAINING[1], ("exact binomial",), id="training, model 3"),
        pytest.param(VALIDATION[0], ("symmetric",), id="validation, reader 1, model 1"),
        pytest.param("A,44,11,33,0.747,0.517,0.978", ("symmetric",), id="reader 1, model 2"),
        pytest.param("A,44,11,33,0.821,0.653,0.989", ("symmetric",), id="reader 2, model 3"),
        pytest.param(VALIDATION[1], ("symmetric",), id="with age: cut at 1"),
        pytest.param("A,44,11,33,0.773,0.70,0.80", (), id="none of them"),
    ],
)
def test_methods_of_park_2021(rows_of, line, methods):
    """Training intervals are MedCalc's, validation intervals symmetric like DeLong's."""
    (row,) = rows_of(HEADER, line)

    assert fitting_methods(row) == methods


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("method", ["delong", "exact binomial", "hanley-mcneil"])
def test_an_interval_is_recognized_as_its_method(rows_of, seed, method):
    """Printed with 2 or 3 decimals, cut at 0 and 1."""
    rng = np.random.default_rng(seed)
    m, w = rng.integers(5, 60, 2)
    labels = np.r_[np.ones(m, int), np.zeros(w, int)]
    found = auc_interval(labels, rng.normal(size=m + w) + labels, method)
    low, high = max(found.ci_low, 0), min(found.ci_high, 1)
    texts = [printed(x, 2 + seed % 2) for x in (found.auc, low, high)]
    (row,) = rows_of(HEADER, f"A,{m + w},{m},{w},{','.join(texts)}")
    name = {"delong": "symmetric", "hanley-mcneil": "Hanley-McNeil"}.get(method, method)

    assert name in fitting_methods(row)
    assert [*outside(AREA, row)] == []
    assert [*off_width(row)] == []


def test_two_methods_in_one_table_are_one_finding_about_the_table(rows_of):
    """Neither is wrong; that nobody says so is."""
    rows = rows_of(HEADER, *TRAINING, *VALIDATION)
    (found,) = mixed_methods(AREA, rows, rows)

    assert (found.line, found.row, found.rule) == (None, "(whole table)", method_rule(AREA))
    assert found.severity == "suspicious"
    assert "rows 2 to 3 fit the exact binomial" in found.reason
    assert [*mixed_methods(AREA, rows[:2], rows)] == []
    assert [*mixed_methods(AREA, rows[2:], rows)] == []


def test_an_interval_holds_its_area(rows_of):
    """Rounding may bring them together, no more."""
    rows = rows_of(
        "row,auc,auc_low,auc_high",
        "A,0.80,0.81,0.90",
        "B,0.80,0.60,0.79",
        "C,0.80,0.90,0.70",
        "D,0.8,0.84,0.9",
        "E,1.00,1.00,1.00",
    )
    found = [[one.severity for one in outside(AREA, row)] for row in rows]

    assert found == [["impossible"], ["impossible"], ["impossible"], [], []]


def test_a_standard_error_divided_by_sqrt_n_is_far_off_width(rows_of):
    """.713 with .178 to each side (11 + 33 patients), and with .178 / sqrt(44)."""
    sound, narrow = rows_of(HEADER, VALIDATION[0], "B,44,11,33,0.713,0.686,0.740")
    (found,) = off_width(narrow)

    assert [*off_width(sound)] == []
    assert (found.rule, found.severity) == (WIDTH, "impossible")
    assert "divided by sqrt(44)" in found.fits


P_HEADER = "row,auc,auc_low,auc_high,p"


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
    (row,) = rows_of(P_HEADER, f"A,{line}")
    found = [*area_against_p(row)]

    assert [one.severity for one in found] == ([severity] if severity else [])
    assert all(one.rule == AREA_P for one in found)


def test_the_finding_says_what_the_interval_means(audit_of):
    """And that P may be of something else."""
    (found,) = audit_of(P_HEADER, "A,0.80,0.71,0.89,0.40").findings

    assert "excludes 0.5 and means about P = 6e-11, not 0.40" in found.reason
    assert "comparison with another area" in found.fits


def test_a_p_beside_counts_or_an_estimate_is_theirs(rows_of):
    """It is not judged by the area."""
    rows = rows_of(
        f"{P_HEADER},estimate,counts",
        "A,0.80,0.71,0.89,0.40,1.3,",
        "B,0.80,0.71,0.89,0.40,,1/2; 3/4",
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

    assert [one for row in rows_of(P_HEADER, *lines) for one in area_against_p(row)] == []


def test_z_of_an_area_allows_for_the_error_without_effect(rows_of):
    """.80 with .09 to each side: 6.5 of its own errors, fewer of those at .5."""
    (row,) = rows_of(P_HEADER, "A,0.8000,0.7100,0.8900,")
    low, high = z_of_area(row)

    assert high == pytest.approx(0.3 / 0.09 * 1.959964, abs=0.02)
    assert low == pytest.approx(high / error_without_effect(0.8), abs=0.05)
    assert error_without_effect(0.5) == pytest.approx(1)
    assert error_without_effect(1.0) == inf
    assert error_without_effect(0.8) >= hanley_mcneil_se(0.5, 38, 80) / hanley_mcneil_se(
        0.8, 38, 80
    )
