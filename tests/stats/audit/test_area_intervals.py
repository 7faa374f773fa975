"""Intervals of areas: the methods behind Park's table 3, and made-up ones of every method."""

import numpy as np
import pytest

from idhray.stats.accuracy.rates import printed
from idhray.stats.audit.area_intervals import (
    ONE_METHOD,
    WIDTH,
    area_outside,
    fitting_methods,
    mixed_methods,
    too_narrow,
)
from idhray.stats.audit.findings import WHOLE_TABLE
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
    assert [*area_outside(row)] == []
    assert [*too_narrow(row)] == []


def test_two_methods_in_one_table_are_one_finding_about_the_table(rows_of):
    """Neither is wrong; that nobody says so is."""
    rows = rows_of(HEADER, *TRAINING, *VALIDATION)
    (found,) = mixed_methods(rows, rows)

    assert (found.line, found.row, found.rule) == (None, WHOLE_TABLE, ONE_METHOD)
    assert found.severity == "suspicious"
    assert "rows 2 to 3 fit the exact binomial" in found.reason
    assert [*mixed_methods(rows[:2], rows)] == []
    assert [*mixed_methods(rows[2:], rows)] == []


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
    found = [[one.severity for one in area_outside(row)] for row in rows]

    assert found == [["impossible"], ["impossible"], ["impossible"], [], []]


def test_a_standard_error_divided_by_sqrt_n_is_far_too_narrow(rows_of):
    """.713 with .178 to each side (11 + 33 patients), and with .178 / sqrt(44)."""
    sound, narrow = rows_of(HEADER, VALIDATION[0], "B,44,11,33,0.713,0.686,0.740")
    (found,) = too_narrow(narrow)

    assert [*too_narrow(sound)] == []
    assert (found.rule, found.severity) == (WIDTH, "suspicious")
    assert "divided by sqrt(44)" in found.fits
