"""The rule for a file without a protocol: arms by name, generators by their column."""

import pytest

from idhray.errors import ConfigError
from idhray.stats.arms.columns import prediction_rows
from idhray.stats.arms.generators import generators_of, rule_of_file

ARMS = {"real": 0.0, "synthetic:60": 0.1, "duplicate:60": 0.0, "duplicate:30": 0.0}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (lambda row: f"gan-{row['fold']}-{row['repeat']}", "per fold and repeat"),
        (lambda row: f"gan-{row['fold']}", "per fold"),
        (lambda row: "gan", "one"),
        (lambda row: f"gan-{row['repeat']}", "one"),
        (lambda row: "", "unknown"),
    ],
)
def test_sharing_of_generators_is_read_from_their_names(experiment, name, expected):
    """The claim depends on it, so it is not left to a flag."""
    rows = experiment(ARMS)
    rows["generator"] = rows.apply(name, axis=1)

    assert generators_of(prediction_rows(rows), "synthetic:60") == expected


def test_the_only_synthetic_arm_is_primary_with_controls_of_its_count(experiment):
    """`duplicate:30` is no control of 60 images."""
    rule = rule_of_file(
        prediction_rows(experiment(ARMS)), baseline="real", primary=None, margin=0.03
    )

    assert (rule.primary, rule.controls, rule.margin) == ("synthetic:60", ("duplicate:60",), 0.03)


def test_several_synthetic_arms_need_a_primary_one(experiment):
    """Choosing after the results is what the rule is there to prevent."""
    rows = prediction_rows(experiment({**ARMS, "synthetic:30": 0.0}))

    with pytest.raises(ConfigError, match=r"2 arms are synthetic.*--primary; arms: duplicate:30"):
        rule_of_file(rows, baseline="real", primary=None, margin=0.02)
    with pytest.raises(ConfigError, match="no arm 'none'"):
        rule_of_file(rows, baseline="none", primary="synthetic:30", margin=0.02)
