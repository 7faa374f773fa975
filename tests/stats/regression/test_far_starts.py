"""The search for other maxima of Firth's penalized likelihood, from many starts at once."""

import numpy as np
import pytest

from idhray.stats.regression.far_starts import evaluation
from idhray.stats.regression.likelihood import Likelihood


def made_up(seed, n=40, columns=5):
    """A design of 0 and 1 with an intercept and a number, and labels that depend on it."""
    rng = np.random.default_rng(seed)
    matrix = np.column_stack(
        [np.ones(n), rng.random((n, columns - 2)) < 0.4, rng.normal(size=n).round(1)]
    )
    labels = (rng.random(n) < 1 / (1 + np.exp(1 - 2 * matrix[:, 1:].sum(axis=1)))).astype(int)
    return Likelihood(matrix=matrix, labels=labels, penalized=True), rng


@pytest.mark.parametrize("seed", range(5))
def test_many_points_at_once_are_the_single_points(seed):
    """Value and derivatives, with the patients of a pattern taken together."""
    model, rng = made_up(seed)
    betas = rng.normal(size=(7, model.matrix.shape[1]))
    points = evaluation(model.matrix, model.labels)(betas)

    for number, beta in enumerate(betas):
        point = model.at(beta)
        for name in ("value", "score", "curvature", "bound"):
            assert getattr(points, name)[number] == pytest.approx(getattr(point, name), abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_the_maximum_is_the_highest_that_single_climbs_reach(seed):
    """With few patients there can be several; the slow plain version climbs from every start."""
    model, _ = made_up(seed, n=12, columns=4)
    lengths = np.sqrt((model.matrix**2).mean(axis=0))
    center = model.climb()
    far = [
        model.climb(center.beta + side * 6 / lengths[index] * np.eye(4)[index])
        for index in range(4)
        for side in (-1, 1)
    ]

    assert model.maximum().value >= max(point.value for point in far) - 1e-8
