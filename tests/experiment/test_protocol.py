"""The protocol is fixed before the first training."""

import dataclasses
import json

import pytest

from idhray.config import default_values
from idhray.errors import ConfigError
from idhray.experiment.protocol import (
    decision_rule,
    merged_protocol,
    new_protocol,
    protocol_from,
    protocol_values,
)
from idhray.experiment.settings import ProtocolSettings


def planned(primary="synthetic:600", **changed):
    settings = ProtocolSettings(counts=(600,), **changed)
    return new_protocol(
        settings,
        arms=["real", primary, "duplicate:600"],
        absent={"more-real:600": "118 of 300 further mutant images"},
        primary=primary,
        counts=(600,),
        folds_digest="abc",
        classifier={"backbone": "resnet50"},
        seed=0,
        today="2026-01-01",
    )


def merged(earlier, later, amend="", has_results=True):
    return merged_protocol(
        earlier,
        later,
        defaults=default_values(ProtocolSettings),
        has_results=has_results,
        amend=amend,
        today="2026-02-02",
    )


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"margin": 0.05}, "margin: was 0.02, now 0.05"),
        ({"fold_count": 4}, "fold_count: was 5, now 4"),
        ({"stop_early": True}, "stop_early: was false, now true"),
    ],
)
def test_a_change_after_results_is_refused_by_name(changed, named):
    """A margin or a stopping rule that follows the results makes any verdict possible."""
    with pytest.raises(ConfigError, match=named):
        merged(planned(), planned(**changed))


def test_networks_are_recorded_with_the_day_on_which_they_joined():
    """They describe and judge nothing, so that they may join after results."""
    earlier = dataclasses.replace(planned(), networks={"vgg19": "2026-01-01"})
    later = dataclasses.replace(
        planned(), networks={"vgg19": "2026-02-02", "inception_v3": "2026-02-02"}
    )
    protocol = merged(earlier, later)

    assert protocol.networks == {"vgg19": "2026-01-01", "inception_v3": "2026-02-02"}
    assert not protocol.amendments
    assert protocol_from(protocol_values(protocol)) == protocol
    assert "networks" not in protocol_values(planned())


def test_an_amendment_makes_the_comparison_exploratory():
    """It may be reported, and never says `helps`."""
    protocol = merged(planned(), planned(margin=0.05), amend="the margin was a slip")

    assert protocol.exploratory == "the margin was a slip"
    assert decision_rule(protocol, "synthetic:600").exploratory == "the margin was a slip"


def test_before_the_first_result_a_protocol_may_change():
    """Nothing was seen that could have led the choice."""
    protocol = merged(planned(), planned(margin=0.05), has_results=False)

    assert protocol.decisive["margin"] == 0.05
    assert not protocol.amendments


def test_repeats_added_after_results_do_not_change_the_planned_ones():
    """Adding trainings until the interval leaves zero would be no test."""
    protocol = merged(planned(repeats=3), planned(repeats=5))
    rule = decision_rule(protocol, "synthetic:600")

    assert (protocol.repeats, protocol.planned_repeats) == (5, 3)
    assert protocol.added_repeats == {"5": "2026-02-02"}
    assert rule.repeats == (1, 2, 3)


def test_a_new_arm_joins_with_its_date():
    """The baseline and the other arms stay as they are."""
    more = planned()
    more = dataclasses.replace(more, arms={**more.arms, "classic:600": "2026-02-02"})

    assert merged(planned(), more).arms["classic:600"] == "2026-02-02"
    assert merged(planned(), more).arms["real"] == "2026-01-01"


def test_the_rule_names_the_controls_and_those_that_are_missing():
    """`helps` needs both rivals, or the reason why one of them does not exist."""
    rule = decision_rule(planned(), "synthetic:600")

    assert rule.controls == ("duplicate:600",)
    assert rule.absent_controls == {"more-real:600": "118 of 300 further mutant images"}


def test_a_rival_that_was_never_planned_cannot_be_beaten():
    """To leave out the control that is hard to beat must not make `helps` easier to say."""
    without = dataclasses.replace(planned(), absent={})

    assert decision_rule(without, "synthetic:600").controls == ("duplicate:600", "more-real:600")


def test_a_protocol_survives_its_file():
    """A continued experiment must compare with exactly what was planned."""
    protocol = merged(planned(), planned(margin=0.05), amend="a slip")

    assert protocol_from(json.loads(json.dumps(protocol_values(protocol)))) == protocol


def test_a_protocol_that_was_edited_by_hand_is_refused():
    """An edited margin would be a change after results that nobody sees."""
    values = protocol_values(planned())
    values["decisive"] = {**values["decisive"], "margin": 0.3}

    with pytest.raises(ConfigError, match="changed by hand"):
        protocol_from(values)


@pytest.mark.parametrize("change", [{"planned_repeats": 2}, {"amendments": []}])
def test_no_other_value_can_be_edited_either(change):
    """Repeats that are judged, and amendments, decide what may be said."""
    values = protocol_values(merged(planned(), planned(margin=0.05), amend="a slip"))

    with pytest.raises(ConfigError, match="changed by hand"):
        protocol_from({**values, **change})
    older = {name: value for name, value in values.items() if name != "digest"}
    assert protocol_from({**older, **change})  # written before there was a digest


def test_a_setting_of_a_later_version_counts_as_its_default():
    """A release that adds a setting must not orphan every experiment."""
    older = planned()
    values = {name: value for name, value in older.decisive.items() if name != "stop_early"}
    older = dataclasses.replace(older, decisive=values)

    assert merged(older, planned()).hash == older.hash
    with pytest.raises(ConfigError, match="stop_early: was false, now true"):
        merged(older, planned(stop_early=True))
