"""Areas: Liu's 26 by hand, random score vectors, and closed forms of the bounds."""

import numpy as np
import pytest

from idhray.stats.audit.areas import (
    LATTICE,
    YOUDEN,
    areas_through,
    largest_area_at_youden,
    off_lattice,
    off_operating_point,
    off_youden,
)
from idhray.stats.roc.area import auc
from idhray.stats.sample import Scored
from idhray.stats.text import printed

HEADER = "row,n_mutant,n_wildtype,auc,sensitivity,specificity,threshold"


def made_scores(rng):
    """Labels and scores, with many ties in every second call."""
    m, w = rng.integers(2, 30, 2)
    labels = np.r_[np.ones(m, int), np.zeros(w, int)]
    scores = rng.normal(size=m + w) + labels * rng.uniform(0, 2)
    return labels, np.round(scores, int(rng.integers(0, 3)))


def test_an_area_between_two_rankings_is_impossible(rows_of):
    """Liu 2020, table 2, +4 K on the test set: .893 of 288 pairs."""
    (row,) = rows_of(HEADER, "A,18,16,0.893,,,")
    (found,) = off_lattice(row)

    assert (found.rule, found.severity) == (LATTICE, "impossible")
    assert found.fits.startswith("257/288 is 0.892, 257.5/288 is 0.894")


@pytest.mark.parametrize(
    ("m", "w", "text"),
    [
        pytest.param(18, 16, ".859", id="Liu 2020, 247.5/288: a tie"),
        pytest.param(18, 16, ".786", id="Liu 2020, age, 226.5/288"),
        pytest.param(11, 33, "0.713", id="Park 2021, reader 1, 259/363"),
        pytest.param(11, 33, "0.773", id="Park 2021, reader 2, 280.5/363"),
        pytest.param(38, 80, "0.864", id="Park 2021, training: every area prints"),
    ],
)
def test_printed_areas_of_both_papers_are_attainable(rows_of, m, w, text):
    """k/2 of the pairs."""
    (row,) = rows_of(HEADER, f"A,{m},{w},{text},,,")

    assert [*off_lattice(row)] == []


def test_cut_digits_of_an_area_are_a_remark(rows_of):
    """271.5/363 is .74793: rounded .748, cut off .747 (Park 2021, reader 1)."""
    (row,) = rows_of(HEADER, "A,5,7,0.142,,,")  # 5/35 is .14286
    (found,) = off_lattice(row)

    assert found.severity == "remark"
    assert "5/35 rounds to 0.143" in found.reason


def test_without_a_class_there_is_no_area(rows_of):
    """Not even .5."""
    (row,) = rows_of(HEADER, "A,0,16,0.5,,,")

    assert [one.severity for one in off_lattice(row)] == ["impossible"]


@pytest.mark.parametrize("seed", range(40))
def test_areas_of_real_scores_pass_every_rule(rows_of, seed):
    """Whatever the ties, any threshold is compatible, and Youden's own with the claim."""
    rng = np.random.default_rng(seed)
    labels, scores = made_scores(rng)
    m, w = int(labels.sum()), int((1 - labels).sum())
    area = auc(Scored(labels, scores))
    points = [
        ((scores[labels == 1] >= cut).mean(), (scores[labels == 0] < cut).mean())
        for cut in [*scores, scores.max() + 1]
    ]
    best = max(points, key=sum)
    lines = [f"A,{m},{w},{printed(area)},{printed(s)},{printed(t)}," for s, t in points]
    claimed = f"A,{m},{w},{printed(area)},{printed(best[0])},{printed(best[1])},Youden index"
    rows = rows_of(HEADER, *lines, claimed)

    assert all(areas_through((s, s), (t, t))[0] <= area + 1e-12 for s, t in points)
    assert all(areas_through((s, s), (t, t))[1] >= area - 1e-12 for s, t in points)
    assert largest_area_at_youden(*best) >= area - 1e-12
    assert [one for row in rows for one in (*off_lattice(row), *off_operating_point(row))] == []
    assert [*off_youden(rows[-1])] == []


def test_bounds_are_reached(rows_of):
    """A curve along the two rectangles, and one along the line of equal Youden index."""
    labels = [1, 1, 0, 0]

    assert areas_through((0.5, 0.5), (0.5, 0.5)) == (0.25, 0.75)
    assert auc(Scored(labels, [4, 2, 3, 1])) == 0.75  # the point (.5, .5) lies on this curve
    assert auc(Scored(labels, [3, 1, 4, 2])) == 0.25
    assert largest_area_at_youden(1, 1) == 1
    assert largest_area_at_youden(0.5, 0.5) == 0.5
    assert largest_area_at_youden(0.627, 0.636) == pytest.approx(0.728, abs=5e-4)
    assert largest_area_at_youden(7 / 11, 21 / 33) == pytest.approx(0.736, abs=5e-4)


def test_an_area_that_no_curve_through_the_point_has(rows_of):
    """Sensitivity .9 at specificity .9 leaves .81 to .99."""
    rows = rows_of(HEADER, "A,,,0.70,.900,.900,", "B,,,0.85,.900,.900,", "C,,,1.00,.900,.900,")
    found = [[one.severity for one in off_operating_point(row)] for row in rows]

    assert found == [["contradiction"], [], ["contradiction"]]


def test_a_youden_optimum_bounds_the_area_only_where_it_is_claimed(rows_of):
    """Park 2021, reader 2: .773 with 62.7/63.6 cannot be; Liu 2020 names no threshold."""
    claimed, silent, sound = rows_of(
        HEADER,
        "A,11,33,0.773,62.7%,63.6%,Youden",
        "B,18,16,0.920,0.778,0.813,",
        "C,11,33,0.821,63.6%,93.9%,Youden",
    )
    (found,) = off_youden(claimed)

    assert (found.rule, found.severity) == (YOUDEN, "contradiction")
    assert "0.728 at most" in found.reason
    assert [one.severity for one in off_youden(silent)] == ["remark"]
    assert [*off_youden(sound)] == []
