"""A trend of the area over the number of synthetic images, tested as one contrast."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from idhray.stats.arms.contrasts import ArmAreas, judged_repeats
from idhray.stats.arms.names import arm_name
from idhray.stats.arms.rule import DecisionRule
from idhray.stats.mrmc.contrast import Contrast
from idhray.stats.mrmc.split_plot import combined_contrast
from idhray.stats.text import p_text, signed


@dataclass(frozen=True, kw_only=True)
class TrendTest:
    """A straight line of the area over counts, the baseline being count 0."""

    arms: tuple[str, ...]
    counts: tuple[float, ...]
    contrast: Contrast
    """Change of the area along the line from 0 to the largest count."""

    @property
    def sentence(self) -> str:
        """The test in words."""
        test = self.contrast
        return (
            f"Trend over {len(self.counts)} counts: along a straight line from 0 to "
            f"{max(self.counts):,g} images the AUC changes by {signed(test.difference)} (95% CI "
            f"{signed(test.ci_low)} to {signed(test.ci_high)}, {p_text(test.p)}); secondary."
        )


def counted_arms(arms: Sequence[str], rule: DecisionRule) -> dict[str, float]:
    """Arms of the primary arm's kind -> number of images, ascending; the baseline is 0."""
    kind = arm_name(rule.primary).kind
    counts = {rule.baseline: 0.0} if rule.baseline in arms else {}
    for arm in arms:
        name = arm_name(arm)
        if name.kind == kind and name.amount and not name.suffix:
            counts[arm] = name.amount
    return dict(sorted(counts.items(), key=lambda item: item[1]))


def trend_test(areas: ArmAreas, rule: DecisionRule, repeats: Sequence[int]) -> TrendTest | None:
    """The trend over counts; None with fewer than three of them.

    The weight of count n is n - mean(n), divided by the sum of squares of these and multiplied by
    the largest count, so that the estimate is a change in area.
    """
    counts = counted_arms(areas.predictions.arms, rule)
    judged = judged_repeats(areas.predictions, list(counts), repeats)
    if len(counts) < 3 or not judged:
        return None
    numbers = np.array(list(counts.values()))
    centered = numbers - numbers.mean()
    weights = centered / np.square(centered).sum() * numbers.max()
    return TrendTest(
        arms=tuple(counts),
        counts=tuple(numbers.tolist()),
        contrast=combined_contrast(areas.folds(list(counts), judged), weights),
    )
