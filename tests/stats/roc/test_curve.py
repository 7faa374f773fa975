"""The drawn ROC curve: its corners, and that the area under it is the area reported."""

import numpy as np
import pytest

from idhray.stats.roc.area import auc
from idhray.stats.roc.curve import roc_points
from idhray.stats.sample import Scored


def test_a_tie_is_a_slope():
    """Sorted: mutant, tie of one each, wildtype. Up, diagonal, right."""
    fpr, tpr = roc_points(Scored([1, 1, 0, 0], [0.9, 0.5, 0.5, 0.1]))

    assert list(zip(fpr, tpr, strict=True)) == [
        (0, 0), (0, 0.5), (0.5, 1), (0.5, 1), (1, 1), (1, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("repeats", [1, 2, 5])
def test_the_area_under_the_drawn_curve_is_the_mean_area(repeats):
    """Whatever the ties: a curve that shows another area than its legend misleads."""
    rng = np.random.default_rng(repeats)
    truth = rng.permutation([1] * 9 + [0] * 7)
    scores = np.round(rng.normal(size=(repeats, 16)) + truth, rng.integers(0, 2))
    fpr, tpr = roc_points(Scored(truth, scores))

    assert np.trapezoid(tpr, fpr) == pytest.approx(auc(Scored(truth, scores)), abs=1e-12)
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    assert (np.diff(tpr) >= 0).all()


def test_a_constant_score_is_the_diagonal():
    """Every point lies on the line of chance."""
    fpr, tpr = roc_points(Scored([1, 0, 0, 0, 1], [0.5] * 5))

    assert tpr == pytest.approx(fpr)
