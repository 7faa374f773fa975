"""All metrics at once: what they say of few, equal or broken features."""

import math

import numpy as np
import pytest
import torch

from idhray.errors import TableError
from idhray.fidelity.scores import METRICS, score
from idhray.fidelity.settings import FidelitySettings
from tests.fidelity.waves import GENERATED, REAL, normal

SETTINGS = FidelitySettings(neighbours=3, subsets=5, subset_size=10)


def scores(x, y, settings=SETTINGS):
    return score(x, y, settings, np.random.default_rng(0))


def test_enough_images_have_every_figure_and_no_notes():
    """The usual case."""
    found = scores(GENERATED, REAL)

    assert tuple(found.values) == METRICS
    assert all(math.isfinite(value) for value in found.values.values())
    assert found.notes == {}


def test_images_no_more_than_features_are_said():
    """FID is biased then; the reader must know."""
    found = scores(normal(6, 6, 0), REAL)

    assert "6 images, 6 features: covariance singular" in found.notes["fid"]
    assert "fid" not in scores(normal(7, 6, 0), REAL).notes


def test_images_no_more_than_neighbors_give_no_shares():
    """Not a number and a note; distances are still told."""
    found = scores(GENERATED[:3], REAL)

    assert math.isnan(found.values["coverage"])
    assert found.notes["coverage"] == "3 neighbors need 4 or more images, got 3"
    assert found.values["fid"] > 0
    assert math.isfinite(scores(GENERATED[:4], REAL).values["coverage"])


def test_two_equal_images_a_side_do_not_crash():
    """The least that is accepted, with no spread at all."""
    same = torch.ones(2, 4)
    found = scores(same, same)

    assert (found.values["fid"], found.values["kid"]) == (0, 0)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.ones(1, 6), "2 or more generated images"),
        (torch.ones(5), "2 or more generated images"),
        (torch.ones(5, 7), "7 features, real ones 6"),
        (torch.full((5, 6), torch.nan), "5 of 5 generated images"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_one_line(x, message):
    """Features come from networks that others trained."""
    with pytest.raises(TableError, match=message):
        scores(x, REAL)
