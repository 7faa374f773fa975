"""Figures by which a clinician judges: valid, repeatable, and sound at their edges."""

import math
from xml.etree import ElementTree

import numpy as np
import pytest

from idhray.report.figures import Drawing
from idhray.report.judgment_figures import (
    FlowBox,
    JudgedArm,
    StratumRow,
    flow_figure,
    forest_figure,
    history_figure,
    probabilities_figure,
)


def arm(name, smooth=None):
    return JudgedArm(
        arm=name,
        smooth=smooth,
        groups=[(0.2, 0.1, 0.0, 0.4), (0.8, 1.0, 0.6, 1.0)],
        benefit=[(0.1, 0.4), (0.5, 0.2)],
        recall=[0.0, 0.5, 1.0],
        precision=[1.0, 0.8, 0.5],
    )


FIGURES = {
    "probabilities": lambda: probabilities_figure(
        [arm("real", np.array([[0.2, 0.1], [0.8, 0.9]])), arm("synthetic:120")],
        [(0.1, 0.45), (0.5, 0.0)],
        0.5,
    ),
    "forest": lambda: forest_figure(
        {
            "real": [
                StratumRow(label="grade 2 (3 + 3)", mean=0.7, low=0.5, high=0.9),
                StratumRow(label="grade 4", mean=math.nan, low=math.nan, high=math.nan),
            ]
        },
        {"real": 0.7},
        "AUC",
    ),
    "flow": lambda: flow_figure(
        [FlowBox(text="9 patients"), FlowBox(text="tiles: 8", left_out="1 failed\n1 x $10^2$")]
    ),
    "history": lambda: history_figure(
        {"a": [(1, 0.2), (2, 0.1)]},
        {"a": [(1, 3), (2, 2)]},
        {"a": [(1, 0.01, 0.03), (2, 0.01, 0.03)]},
    ),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_a_valid_svg_with_a_png_and_the_same_each_time(name):
    """The report embeds the SVG; the PNG is for slides. A strange reason is no formula."""
    drawing = FIGURES[name]()

    assert isinstance(drawing, Drawing)
    assert ElementTree.fromstring(drawing).tag.endswith("svg")
    assert drawing.png.startswith(b"\x89PNG")
    assert FIGURES[name]() == drawing
