"""Authenticity, C_T and the ratio of distances against slow computations and made cases."""

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu, norm
from sklearn.cluster import KMeans

from idhray.chance import seed_for
from idhray.errors import TableError
from idhray.fidelity.copies.memorization import (
    authenticity,
    c_t_test,
    distance_ratio,
    mann_whitney_z,
)


def normal(count, seed, width=4):
    return torch.tensor(np.random.default_rng(seed).normal(size=(count, width)))


def column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


def test_authenticity_of_a_case_by_hand():
    """Training points 0, 1, 5: own neighbors at 1, 1, 4. Of 0.5, 2.5, 8 and 10, nearest to 0, 1,
    5, 5 at 0.5, 1.5, 3 and 5, the second and the last are farther than those."""
    made, train = column(0.5, 2.5, 8.0, 10.0), column(0.0, 1.0, 5.0)

    assert authenticity(made, train) == 0.5


def test_authenticity_between_patients_leaves_out_the_patients_own_images():
    """With 0 and 1 of one patient their neighbor is 5: at 5 and 4, farther than all but 10."""
    made, train = column(0.5, 2.5, 8.0, 10.0), column(0.0, 1.0, 5.0)

    assert authenticity(made, train, np.array([0, 0, 1])) == 0.25


def test_copies_are_not_authentic_and_fresh_draws_are_by_half():
    """What the figure means."""
    train = normal(400, 0)

    assert authenticity(train[:50] + 1e-6, train) == 0
    assert 0.4 < authenticity(normal(400, 1), train) < 0.65


@pytest.mark.parametrize("patients", [None, np.zeros(1, np.int64)])
def test_authenticity_of_one_image_is_refused(patients):
    """It has no neighbor."""
    with pytest.raises(TableError, match="got 1"):
        authenticity(normal(3, 0), normal(1, 1), patients)


def test_the_z_is_that_of_scipys_mann_whitney():
    """Without continuity correction, on samples without ties."""
    a, b = np.random.default_rng(0).normal(size=30), np.random.default_rng(1).normal(0.5, size=40)
    p = mannwhitneyu(a, b, alternative="less", use_continuity=False, method="asymptotic").pvalue

    assert norm.cdf(mann_whitney_z(a, b)) == pytest.approx(p)


def test_c_t_matches_a_slow_computation():
    """Cell by cell with loops and scipy's U."""
    train, held, made = normal(120, 0), normal(90, 1), normal(110, 2)
    cells = KMeans(3, n_init=4, random_state=seed_for(7, "cells") % 2**32).fit(train.numpy())

    def near(points):
        where = cells.predict(points.numpy())
        inside = [train[torch.tensor(cells.labels_ == c)] for c in where]
        return where, np.array(
            [min((x - t).norm() for t in ts) for x, ts in zip(points, inside, strict=True)]
        )

    (cell_p, p), (cell_q, q) = near(held), near(made)
    total = weight = square = 0.0
    for c in range(3):
        a, b = q[cell_q == c], p[cell_p == c]
        u = mannwhitneyu(a, b).statistic
        z = (u - len(a) * len(b) / 2) / np.sqrt(len(a) * len(b) * (len(a) + len(b) + 1) / 12)
        total, weight, square = total + len(b) * z, weight + len(b), square + len(b) ** 2
    found = c_t_test(made, held, train, np.arange(90), cells=3, seed=7)

    assert found.cells == 3
    assert found.c_t == pytest.approx(total / weight)
    assert found.p == pytest.approx(norm.cdf(total / np.sqrt(square)))


def test_c_t_tells_copies_from_fresh_draws():
    """Some 0 for the latter, far below it for the former."""
    train, held, patients = normal(300, 0), normal(150, 1), np.arange(150)
    fresh = c_t_test(normal(200, 2), held, train, patients)
    copied = c_t_test(train[:200] + 0.05 * normal(200, 3), held, train, patients)

    assert abs(fresh.c_t) < 2.5
    assert copied.c_t < -5
    assert copied.p_patients < 1e-4


def test_images_of_few_patients_prove_less():
    """The same 120 images: as of 4 patients at 4 places, a nearer fake says little."""
    chance = np.random.default_rng(0)
    places = chance.normal(size=(4, 4)).repeat(30, axis=0) * [[2.0]]
    held = torch.tensor(places + 0.1 * chance.normal(size=(120, 4)))
    train, made = normal(200, 1), 0.8 * normal(120, 2)
    few = c_t_test(made, held, train, np.arange(120) // 30, cells=1)
    many = c_t_test(made, held, train, np.arange(120), cells=1)

    assert few.c_t == many.c_t
    assert few.p == many.p
    assert few.p_patients > 10 * many.p_patients


def test_too_few_images_give_no_c_t():
    """None, not a z of three images."""
    assert c_t_test(normal(5, 0), normal(5, 1), normal(5, 2), np.arange(5)) is None


def test_the_ratio_is_one_for_fresh_draws_and_small_for_copies():
    """Though the training images are four times as many."""
    train, held = normal(400, 0), normal(100, 1)
    mine, theirs = np.arange(400) // 4, np.arange(100) // 4
    fresh = distance_ratio(normal(100, 2), train, held, mine, theirs)
    copied = distance_ratio(train + 0.01, train, held, mine, theirs)

    assert fresh.generated == pytest.approx(1, abs=0.1)
    assert fresh.real == pytest.approx(1, abs=0.15)
    assert copied.generated < 0.95


def test_one_held_out_patient_has_no_control():
    """Nothing is left to hold against."""
    train, held = normal(20, 0), normal(5, 1)
    ratio = distance_ratio(normal(9, 2), train, held, np.arange(20) // 2, np.zeros(5, int))

    assert ratio.real is None
    assert ratio.generated > 0
