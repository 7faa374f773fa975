"""Confusion matrices: the accuracies of both papers, and predictive values."""

import numpy as np
import pytest

from idhray.stats.audit.two_by_two import (
    ACCURACY,
    CLASS_SIZES,
    COUNT,
    PREDICTIVE,
    accuracy_between,
    accuracy_count,
    accuracy_from_classes,
    class_sizes,
    patients_behind,
    predictive_values,
    true_counts,
)
from idhray.stats.text import printed

HEADER = "row,n,n_mutant,n_wildtype,sensitivity,specificity,accuracy,accuracy_count"


def test_classes_that_do_not_add_up(rows_of):
    """Liu 2020, table 4: 44 (28:17); the accuracies of the group need 44."""
    rows = rows_of(
        "row,group,n,n_mutant,n_wildtype,accuracy",
        "Number of patients,< 55,44,28,17,",
        "Age,< 55,44,,,0.682",
        "Number of patients,>= 55,24,8,16,",
    )
    (found,) = class_sizes((rows[0], rows[2]), rows)

    assert (found.line, found.rule, found.severity) == (2, CLASS_SIZES, "contradiction")
    assert found.reason == "28 + 17 is 45, not 44"
    assert found.fits == "44 = 28 + 16, or 44 = 27 + 17"


@pytest.mark.parametrize(
    ("shares", "right"),
    [
        pytest.param("36.4%,100%,84.1%,37/44", None, id="Park 2021, reader 1, model 1"),
        pytest.param("63.6%,100%,90.9%,40/44", None, id="reader 1, model 3"),
        pytest.param("63.6%,93.9%,93.2%,41/44", "7 + 31 = 38 right of 44", id="reader 2, model 3"),
        pytest.param("62.7%,63.6%,86.4%,38/44", "27.9 right of 44", id="reader 2, model 1"),
        pytest.param("78.8%,81.8%,79.5%,35/44", None, id="exchanged columns are put back"),
        pytest.param("78.8%,81.8%,84.1%,", "9 + 26 = 35 right of 44", id="exchanged, and wrong"),
    ],
)
def test_accuracy_follows_from_both_classes(rows_of, shares, right):
    """11 mutant and 33 wildtype patients, table 3 and the text."""
    (row,) = rows_of(HEADER, f"A,44,11,33,{shares}")
    found = [*accuracy_from_classes(row)]

    if right is None:
        assert found == []
    else:
        assert (found[0].rule, found[0].severity) == (ACCURACY, "contradiction")
        assert right in found[0].reason


def test_the_mean_of_both_shares_is_recognized(rows_of):
    """Balanced accuracy, printed under the name of accuracy."""
    (row,) = rows_of(HEADER, "A,44,11,33,63.6%,93.9%,78.8%,")
    (found,) = accuracy_from_classes(row)

    assert "balanced accuracy" in found.fits


def test_accuracy_lies_between_the_shares_whatever_n(rows_of):
    """A weighted mean cannot leave the interval of what it is a mean of."""
    good, bad, known = rows_of(
        HEADER, "A,,,,.60,.90,.85,", "B,,,,.60,.80,.85,", "C,44,11,33,.60,.80,.85,"
    )

    assert [*accuracy_between(good)] == []
    assert [one.severity for one in accuracy_between(bad)] == ["impossible"]
    assert [*accuracy_between(known)] == []  # the class sizes say more


@pytest.mark.parametrize(
    ("cells", "severity"),
    [
        ("44,11,33,,,84.1%,37/44", None),
        ("44,11,33,,,86.4%,37/44", "contradiction"),
        ("44,11,33,,,84.1%,37/45", "contradiction"),
        ("44,11,33,,,,45/44", "impossible"),
        (",,,,,,0/0", "impossible"),
    ],
)
def test_a_count_agrees_with_its_percentage_and_n(rows_of, cells, severity):
    """37/44 is 84.1%."""
    (row,) = rows_of(HEADER, f"A,{cells}")
    found = [*accuracy_count(row)]

    assert {one.severity for one in found} == ({severity} if severity else set())
    assert all(one.rule == COUNT for one in found)


def test_predictive_values_follow_from_the_matrix(rows_of):
    """7/11 and 31/33: PPV 7/9, NPV 31/35; and 2 of 0 called mutant is no PPV."""
    header = "row,n_mutant,n_wildtype,sensitivity,specificity,ppv,npv"
    good, bad, none = rows_of(
        header,
        "A,11,33,63.6%,93.9%,77.8%,88.6%",
        "B,11,33,63.6%,93.9%,87.8%,88.6%",
        "C,11,33,0%,100%,50%,75%",
    )

    assert [*predictive_values(good)] == []
    (found,) = predictive_values(bad)
    assert (found.rule, found.severity) == (PREDICTIVE, "contradiction")
    assert "the ppv is 77.8%" in found.reason
    assert [*predictive_values(none)] == []


def test_random_matrices_are_silent(rows_of):
    """All figures of a real matrix agree, for few and for many patients."""
    rng = np.random.default_rng(3)
    lines = []
    for _ in range(200):
        m, w = rng.integers(1, 400, 2)
        tp, tn = rng.integers(0, m + 1), rng.integers(0, w + 1)
        shares = [tp / m, tn / w, (tp + tn) / (m + w)]
        ppv = printed(tp / (tp + w - tn)) if tp + w - tn else ""
        npv = printed(tn / (tn + m - tp)) if tn + m - tp else ""
        texts = ",".join(printed(float(share)) for share in shares)
        lines.append(f"A,{m + w},{m},{w},{texts},{tp + tn}/{m + w},{ppv},{npv}")
    rows = rows_of(f"{HEADER},ppv,npv", *lines)
    rules = (accuracy_from_classes, accuracy_between, accuracy_count, predictive_values)

    assert [one for row in rows for rule in rules for one in rule(row)] == []
    assert [*class_sizes(rows, rows)] == []


def test_counts_behind_shares(rows_of):
    """Whole numbers where there are any, else what the digits allow."""
    (row,) = rows_of(HEADER, "A,44,11,33,63.6%,62.7%,,")

    assert patients_behind(row.sensitivity, 11) == (7, 7)
    low, high = patients_behind(row.specificity, 11)
    assert (float(low), float(high)) == pytest.approx((6.8915, 6.908))
    assert true_counts(row)[0] == (7, 7)
    assert true_counts(rows_of(HEADER, "A,45,11,33,63.6%,62.7%,,")[0]) is None
