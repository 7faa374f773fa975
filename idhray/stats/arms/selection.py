"""The gain at a count that validation chose, without the luck of the choice.

The count that did best on validation, tested with the same trainings, says "helps" in 8 to 32 % of
experiments without any effect: a lucky training is lucky on both sets. Here repeat r of a fold is
judged at the count that the other repeats of this fold chose. It describes the response to the
number of images; the primary claim is fixed beforehand.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from idhray.stats.arms.contrasts import ArmAreas, judged_repeats
from idhray.stats.arms.rule import DecisionRule
from idhray.stats.arms.trend import counted_arms
from idhray.stats.mrmc.contrast import Contrast
from idhray.stats.mrmc.selection import chosen_by_other_repeats
from idhray.stats.mrmc.split_plot import contrast_of_components
from idhray.stats.text import signed


@dataclass(frozen=True, kw_only=True)
class ChosenByOthers:
    """Each repeat at the arm that its fold's other repeats chose on validation."""

    chosen: tuple[tuple[str, ...], ...]
    """Arm of each fold (outer) and repeat (inner)."""
    contrast: Contrast
    """Area at the chosen arm minus area of the baseline."""

    @property
    def sentence(self) -> str:
        """The estimate in words."""
        test = self.contrast
        frequency = Counter(arm for fold in self.chosen for arm in fold)
        arms = ", ".join(f"{arm} {times}x" for arm, times in frequency.most_common())
        return (
            "Each repeat judged at the count that the other repeats of its fold chose on "
            f"validation ({arms}): {signed(test.difference)} (95% CI {signed(test.ci_low)} to "
            f"{signed(test.ci_high)}); descriptive."
        )


def leave_one_repeat_out(
    validation: ArmAreas, test: ArmAreas, rule: DecisionRule, repeats: Sequence[int]
) -> ChosenByOthers | None:
    """The gain at chosen counts; None with fewer than two counts or two repeats.

    Args:
        validation: Areas on the validation patients of the same folds.
        test: Areas on test patients.
        rule: Names of the primary arm and the baseline.
        repeats: Repeats that may be used.
    """
    arms = [arm for arm in counted_arms(test.predictions.arms, rule) if arm != rule.baseline]
    numbers = [fold.fold for fold in test.predictions.folds]
    if [fold.fold for fold in validation.predictions.folds] != numbers:
        return None
    if any(arm not in validation.predictions.arms for arm in arms):
        return None
    judged = judged_repeats(test.predictions, [*arms, rule.baseline], repeats)
    judged = judged_repeats(validation.predictions, arms, judged)
    if len(arms) < 2 or len(judged) < 2:
        return None
    areas = np.stack([validation.areas(arm, judged) for arm in arms], axis=2)  # (K, R, arms)
    best = chosen_by_other_repeats(areas)
    folds = []
    for k, positions in enumerate(best):
        mutants, wildtypes = [], []
        for repeat, position in zip(judged, positions, strict=True):
            new = test.components(k, arms[position], [repeat])
            old = test.components(k, rule.baseline, [repeat])
            mutants.append(new[0] - old[0])
            wildtypes.append(new[1] - old[1])
        folds.append((np.concatenate(mutants), np.concatenate(wildtypes)))
    return ChosenByOthers(
        chosen=tuple(tuple(arms[position] for position in row) for row in best),
        contrast=contrast_of_components(folds),
    )
