"""Heatmaps show where a score comes from, and nothing where nobody looked."""

import numpy as np
import pytest

from idhray.classify.heatmap import (
    BLUE,
    RED,
    SHOWN_PX,
    WHITE,
    ScoredPatch,
    extreme_patches,
    extreme_sheet,
    heatmap,
    score_color,
)


@pytest.mark.parametrize(("p", "color"), [(0, BLUE), (0.5, WHITE), (1, RED), (1.2, RED)])
def test_the_scale_runs_from_blue_over_white_to_red(p, color):
    """Readers learn the colors once; they are the same on every slide."""
    assert score_color(p) == color


def test_only_scored_places_get_a_color():
    """White elsewhere would read as a score of one half."""
    thumbnail = np.full((100, 300, 3), 90, np.uint8)
    patch = ScoredPatch(left=20, top=30, width=10, height=10, p_mutant=1.0)
    picture = heatmap(thumbnail, [patch], "slide")

    assert (picture[10, 10] == 90).all()
    assert picture[35, 25, 0] > picture[35, 25, 1]
    assert picture.shape[1] == 300


def test_the_most_extreme_patches_come_first():
    """A pathologist looks at the first ones; ties keep the order of the table."""
    p = np.array([0.2, 0.9, 0.5, 0.1, 0.8])

    assert extreme_patches(p) == ([1, 4], [3, 0])
    assert extreme_patches(p[:1]) == ([0], [0])
    assert len(extreme_patches(np.linspace(0, 1, 40))[0]) == 10


def test_the_sheet_has_a_row_of_each_kind():
    """Mutant-like above wildtype-like, at one size."""
    patch = np.full((16, 16, 3), 200, np.uint8)
    sheet = extreme_sheet([(patch, 0.9), (patch, 0.8)], [(patch, 0.1)], "P1")

    assert sheet.shape[1] == 2 * SHOWN_PX
    assert (sheet == 255).all(axis=-1).mean() < 0.7
