"""Names and values of the arms."""

import pytest

from idhray.errors import ConfigError
from idhray.experiment.arms import Arm, parse_arm

NAMES = (
    *("real", "real+online", "synthetic:600", "synthetic:600+online", "duplicate:24"),
    *("more-real:2", "classic:600", "shuffled:600", "fewer-patients:0.5", "fewer-patients:0.75"),
)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_gives_the_arm_that_has_it(name):
    """Tables and the protocol hold names only."""
    assert parse_arm(name).name == name


@pytest.mark.parametrize(
    "name", ["", "Real", "synthetic", "synthetic:0", "synthetic:3", "real:4", "fewer-patients:1.5"]
)
def test_what_is_no_arm_is_refused(name):
    """A misspelled arm would otherwise be compared as one of its own."""
    with pytest.raises(ConfigError):
        parse_arm(name)


def test_the_added_images_are_divided_evenly_between_the_classes():
    """An arm that shifts the balance of classes would gain or lose by class weights alone."""
    with pytest.raises(ConfigError, match="even"):
        Arm(kind="duplicate", count=7)
