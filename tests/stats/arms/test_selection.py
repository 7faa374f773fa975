"""A repeat never chooses the count at which it is judged."""

import numpy as np
import pytest

from idhray.stats.arms.contrasts import ArmAreas
from idhray.stats.arms.predictions import arm_predictions
from idhray.stats.arms.rule import DecisionRule
from idhray.stats.arms.selection import leave_one_repeat_out

RULE = DecisionRule(primary="synthetic:30")
ARMS = {"real": 0.0, "synthetic:30": 0.0, "synthetic:60": 0.0}


@pytest.fixture(scope="module")
def areas(experiment):
    """Areas on validation and on test patients."""
    test = ArmAreas(arm_predictions(experiment(ARMS, repeats=4)))
    return ArmAreas(arm_predictions(experiment(ARMS, repeats=4, seed=1))), test


def test_the_gain_is_that_of_a_plain_loop(areas):
    """Choice and difference of each fold and repeat, one by one."""
    validation, test = areas
    result = leave_one_repeat_out(validation, test, RULE, (1, 2, 3, 4))
    chosen, differences = [], []
    for k in range(3):
        for r in range(4):
            others = [s for s in range(4) if s != r]
            means = {
                arm: validation.areas(arm, (1, 2, 3, 4))[k, others].mean()
                for arm in ("synthetic:30", "synthetic:60")
            }
            best = max(means, key=lambda arm: means[arm])
            chosen.append(best)
            differences.append(
                test.areas(best, (1, 2, 3, 4))[k, r] - test.areas("real", (1, 2, 3, 4))[k, r]
            )

    assert result is not None
    assert [arm for fold in result.chosen for arm in fold] == chosen
    assert result.contrast.difference == pytest.approx(np.mean(differences))
    assert len(set(chosen)) == 2


def test_one_count_or_one_repeat_leaves_no_choice(areas, experiment):
    """No estimate instead of a wrong one."""
    validation, test = areas
    single = ArmAreas(arm_predictions(experiment({"real": 0.0, "synthetic:30": 0.0})))

    assert leave_one_repeat_out(validation, test, RULE, (1,)) is None
    assert leave_one_repeat_out(single, single, RULE, (1, 2, 3)) is None
