"""Precision, recall, density, coverage against prdc, a drawing by hand, a slow computation."""

import pytest
import torch

from idhray.errors import TableError
from idhray.fidelity import manifold
from idhray.fidelity.distances import nearest
from idhray.fidelity.manifold import Manifold, manifold_scores, radii
from tests.fidelity.waves import GENERATED, REAL, normal


@pytest.mark.parametrize(
    ("k", "expected"),
    [(3, (29 / 30, 0.15, 38 / 30, 0.55)), (5, (1.0, 0.225, 1.88, 0.8))],
)
def test_they_are_what_prdc_gives(k, expected):
    """prdc 0.2 (the code of Naeem et al.) on the same features."""
    found = manifold_scores(GENERATED, REAL, k)

    assert vars(found) == pytest.approx(
        dict(zip(("precision", "recall", "density", "coverage"), expected, strict=True))
    )


def test_a_drawing_by_hand():
    """On a line: real 0 1 3 6 have radii 1 1 2 3; generated 0.5 and 20 have radius 19.5.

    0.5 lies in the balls of 0 and 1 and not in those of 3 (2.5 away) and 6; 20 lies in none.
    """
    real = torch.tensor([[0.0], [1.0], [3.0], [6.0]]).double()
    generated = torch.tensor([[0.5], [20.0]]).double()
    found = manifold_scores(generated, real, 1)

    assert found == Manifold(precision=0.5, recall=1.0, density=2 / 2, coverage=2 / 4)


def test_generated_and_real_do_not_swap():
    """A narrow generator is precise and recalls little; the wide one the other way round."""
    wide, narrow = normal(200, 4, 0), 0.3 * normal(200, 4, 1)
    found, swapped = manifold_scores(narrow, wide, 3), manifold_scores(wide, narrow, 3)

    assert found.precision > 0.9
    assert found.recall < 0.3
    assert (swapped.precision, swapped.recall) == (found.recall, found.precision)


def test_radii_are_distances_to_the_kth_other_image(monkeypatch):
    """By exact differences, the image itself dropped, whatever the blocks."""
    monkeypatch.setattr(manifold, "BLOCK", 7)
    x = normal(30, 5, 0) + 100
    slow, _ = nearest(x, x, 4)

    torch.testing.assert_close(radii(x, 3).sqrt(), slow[:, 3], rtol=1e-6, atol=0)


def test_blocks_change_nothing(monkeypatch):
    """Counts are summed over blocks of real images."""
    whole = manifold_scores(GENERATED, REAL, 3)
    monkeypatch.setattr(manifold, "BLOCK", 7)

    assert manifold_scores(GENERATED, REAL, 3) == whole


def test_balls_around_repeated_images_hold_their_copies():
    """Each image five times: balls of radius 0, whose center the rounding must not move out."""
    once = normal(20, 50, 0) * 17 + 3
    found = manifold_scores(once, once.repeat(5, 1), 3)

    assert found == Manifold(1.0, 1.0, 5 / 3, 1.0)


@pytest.mark.parametrize("k", [0, 30])
def test_more_neighbors_than_images_are_refused(k):
    """The message must say how many would be needed."""
    with pytest.raises(TableError, match=f"{k} neighbors need {k + 1}"):
        manifold_scores(GENERATED, REAL, k)
