"""Settings of the experiment, and the arms that they plan."""

import pytest

from idhray.errors import ConfigError
from idhray.experiment.settings import (
    PRESETS,
    ProtocolSettings,
    planned_arms,
    primary_arm,
    resolved_counts,
)


def test_the_default_experiment_has_eight_arms():
    """Baseline, synthetic images, four controls, and two arms with online augmentation."""
    names = [arm.name for arm in planned_arms(PRESETS["controlled"], (600,))]

    assert names == [
        *("real", "synthetic:600", "duplicate:600", "more-real:600", "classic:600"),
        *("shuffled:600", "real+online", "synthetic:600+online"),
    ]


def test_controls_at_all_counts_are_trained_at_all_counts():
    """One control for each count, for a response curve with its rivals."""
    settings = ProtocolSettings(
        counts=(2, 4), primary_count=4, controls=("duplicate",), controls_at="all"
    )
    names = [arm.name for arm in planned_arms(settings, (2, 4))]

    assert names[:5] == ["real", "synthetic:2", "synthetic:4", "duplicate:2", "duplicate:4"]


def test_the_paper_trains_no_control_before_validation_has_chosen():
    """The controls belong to the chosen count."""
    counts = resolved_counts(PRESETS["liu2020"], 24_000)

    assert [arm.name for arm in planned_arms(PRESETS["liu2020"], counts)] == [
        "real",
        *(f"synthetic:{n}" for n in (1000, 2000, 3000, 4000, 5000)),
    ]


def test_a_ratio_becomes_an_even_count():
    """Half of the added images belong to each class."""
    assert resolved_counts(ProtocolSettings(ratios=(0.5, 0.1)), 101) == (10, 50)


def test_several_counts_need_a_primary_one():
    """A count that is chosen after the results is no plan."""
    with pytest.raises(ConfigError, match="primary_count"):
        primary_arm(ProtocolSettings(counts=(2, 4)), (2, 4))


def test_stopping_early_and_selection_by_validation_exclude_each_other():
    """The stopping rule needs the primary comparison, which is chosen after all repeats."""
    with pytest.raises(ConfigError, match="stop_early"):
        ProtocolSettings(counts=(2, 4), selection="validation", stop_early=True)
