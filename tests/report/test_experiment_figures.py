"""Figures of an experiment: valid SVG, the same bytes each time, and every name in them."""

from xml.etree import ElementTree

import numpy as np
import pytest

from idhray.report.experiment_figures import (
    ArmDifference,
    ArmResult,
    CountResult,
    arms_figure,
    response_figure,
)


def arms(interval=0.05):
    """Two arms; one difference without an interval if the width is NaN."""
    results = [
        ArmResult(arm=name, mean=0.8, low=0.8 - interval, high=0.8 + interval, trainings=[0.7, 0.9])
        for name in ("real", "synthetic:600")
    ]
    difference = ArmDifference(
        label="synthetic:600 - real",
        estimate=0.01,
        low=0.01 - interval,
        high=0.01 + interval,
        role="primary",
    )
    return arms_figure(results, [difference], 0.02)


def response():
    """Two kinds at two counts, and the baseline."""
    points = [CountResult(count=n, mean=0.8, low=0.75, high=0.85) for n in (100, 600)]
    return response_figure({"synthetic": points, "duplicate": points}, points[0])


@pytest.mark.parametrize("figure", [arms, response])
def test_figures_are_valid_and_the_same_each_time(figure):
    """A report that is made again must not differ in its bytes."""
    assert ElementTree.fromstring(figure()).tag.endswith("svg")
    assert figure() == figure()


def test_a_difference_without_an_interval_is_still_drawn():
    """With one repeat there is an estimate and no interval."""
    assert ElementTree.fromstring(arms(interval=np.nan)).tag.endswith("svg")
