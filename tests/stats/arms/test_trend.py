"""The trend over counts is a contrast: its estimate is a least-squares line."""

import numpy as np
import pytest

from idhray.stats.arms.contrasts import ArmAreas
from idhray.stats.arms.predictions import arm_predictions
from idhray.stats.arms.rule import DecisionRule
from idhray.stats.arms.trend import trend_test

RULE = DecisionRule(primary="synthetic:60")


def test_the_estimate_is_the_line_through_the_mean_areas(experiment):
    """numpy's polynomial fit of the areas on 0, 30, 60 and 120 images; others have no count."""
    arms = {"real": 0.0, "synthetic:30": 0.2, "synthetic:60": 0.4, "synthetic:120": 0.8}
    predictions = arm_predictions(
        experiment({**arms, "duplicate:60": 0.0, "synthetic:60+online": 0.1})
    )
    areas = ArmAreas(predictions)
    means = [areas.areas(arm, (1, 2, 3)).mean() for arm in arms]
    slope = np.polyfit([0, 30, 60, 120], means, 1)[0]
    trend = trend_test(areas, RULE, predictions.repeats)

    assert trend is not None
    assert trend.arms == tuple(arms)
    assert trend.contrast.difference == pytest.approx(slope * 120)
    assert "Trend over 4 counts" in trend.sentence


def test_two_counts_are_a_difference_and_no_trend(experiment):
    """Nothing is added by a second name for it."""
    predictions = arm_predictions(experiment({"real": 0.0, "synthetic:60": 0.2}))

    assert trend_test(ArmAreas(predictions), RULE, predictions.repeats) is None
