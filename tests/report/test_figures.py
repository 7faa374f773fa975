"""Figures: valid files, the same bytes each time, nothing that fails on odd input."""

import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from idhray.report.figures import (
    CountPoint,
    RocCurve,
    age_figure,
    count_figure,
    patch_sheet,
    roc_figure,
)

GRAY = np.full((16, 16), 40, dtype=np.uint8)
PINK = np.full((16, 16, 3), (220, 120, 180), dtype=np.uint8)


def roc():
    """Two panels of two curves."""
    curves = [
        RocCurve(label=f"{n}: 0.750", fpr=[0, 0, 0.5, 1], tpr=[0, 0.5, 1, 1]) for n in (0, 1000)
    ]
    return roc_figure({"Validation": curves, "Test": curves})


def counts():
    """One repeat at one count, three at the other."""
    points = [
        CountPoint(n_synthetic=0, mean=0.8, low=0.6, high=1.0, repeats=[0.8]),
        CountPoint(
            n_synthetic=1000, mean=0.9, low=0.7, high=1.0, repeats=[0.8, 0.9, 1.0], chosen=True
        ),
    ]
    return count_figure({"AUC": {"Validation": points, "Test": points}})


def ages():
    """A missing age, and a root out of sight."""
    return age_figure(
        {"mutant": [30.0, np.nan, 45.0], "wildtype": [60.0, 70.0]},
        {"mutant": (44.2, 12.7), "wildtype": (55.5, 13.3)},
        (-195.7, 50.4),
    )


def patches():
    """Gray and color, a full class and one without synthetic images."""
    return patch_sheet({"mutant": ([PINK] * 5, [GRAY] * 2), "wildtype": ([PINK], [])})


def test_the_sheet_is_a_valid_png_and_the_same_each_time():
    """A picture of sensible size, whose metadata name no version of the software."""
    data = patches()
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()

        assert picture.format == "PNG"
        assert min(picture.size) > 200
        assert "Software" not in picture.info
    assert patches() == data


@pytest.mark.parametrize("figure", [roc, counts, ages])
def test_svg_is_valid_and_the_same_each_time(figure):
    """Well-formed XML whose root is an svg, with neither a date nor random ids."""
    data = figure()

    assert ElementTree.fromstring(data).tag == "{http://www.w3.org/2000/svg}svg"
    assert b"<dc:date>" not in data
    assert figure() == data


def test_the_sheet_shows_the_pixels_it_was_given():
    """Real on the left, synthetic on the right."""
    data = patch_sheet({"mutant": ([PINK] * 4, [GRAY] * 4)})
    with Image.open(io.BytesIO(data)) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    left, right = np.array_split(pixels, 2, axis=1)

    assert (left == PINK[0, 0]).all(axis=-1).any()
    assert not (right == PINK[0, 0]).all(axis=-1).any()
    assert (right == 40).all(axis=-1).any()
