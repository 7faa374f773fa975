"""Trainings of generators, read from the column `generator` of predictions."""

import pandas as pd

from idhray.errors import ConfigError
from idhray.stats.arms.columns import TEST, UNBLINDED
from idhray.stats.arms.names import CONTROLS, MORE_REAL, SYNTHETIC, arm_name
from idhray.stats.arms.rule import DecisionRule, Generators


def generators_of(rows: pd.DataFrame, arm: str) -> Generators:
    """Sharing of generators between the folds and repeats of an arm, by their names.

    `unknown` if names are missing. A generator that serves some of several repeats counts as one
    per fold, and one that serves several folds as one in all.
    """
    of_arm = rows[(rows["arm"] == arm) & (rows["split"] == TEST)]
    blocks = of_arm.drop_duplicates(["fold", "repeat", "generator"])
    if blocks.empty or (blocks["generator"] == "").any():
        return "unknown"
    if blocks.groupby("generator")["fold"].nunique().max() > 1:
        return "one"
    if blocks.groupby("generator")["repeat"].nunique().max() > 1:
        return "per fold" if blocks["fold"].nunique() > 1 else "one"
    return "per fold and repeat"


def rule_of_file(
    rows: pd.DataFrame,
    *,
    baseline: str,
    primary: str | None,
    margin: float,
    no_more_real: str = "",
) -> DecisionRule:
    """The rule for predictions without a protocol, from their arms and generators.

    Args:
        rows: Checked rows.
        baseline: The arm without added images.
        primary: The judged arm; None takes the only arm of synthetic images.
        margin: Irrelevant differences in AUC.
        no_more_real: Reason why there is no arm of further real images; empty for none.

    Raises:
        ConfigError: an arm does not exist, none or several could be the primary one, no repeat
            judges it, or there is a reason for the absence of an arm that exists.
    """
    arms = sorted(rows["arm"].unique())
    named = ", ".join(arms)
    for arm in (baseline, *([primary] if primary else [])):
        if arm not in arms:
            raise ConfigError(f"predictions have no arm {arm!r}; arms: {named}")
    planned, exploratory, unblinded = protocol_of_rows(rows)
    if planned and primary not in (None, planned):
        exploratory = exploratory or f"{primary} in place of {planned}, which the protocol names"
    primary = primary or planned or None
    if primary is None:
        synthetic = [
            arm
            for arm in arms
            if arm != baseline and arm_name(arm).kind == SYNTHETIC and not arm_name(arm).suffix
        ]
        if len(synthetic) != 1:
            raise ConfigError(
                f"{len(synthetic)} arms are synthetic; name the judged arm by --primary; "
                f"arms: {named}"
            )
        primary = synthetic[0]
    amount = arm_name(primary).amount
    controls = tuple(
        arm
        for arm in arms
        if arm not in (primary, baseline)
        and arm_name(arm).kind in CONTROLS
        and arm_name(arm).amount in (amount, None)
        and not arm_name(arm).suffix
    )
    if no_more_real and any(arm_name(arm).kind == MORE_REAL for arm in controls):
        raise ConfigError("--no-more-real gives a reason for an absent arm, and the arm is there")
    return DecisionRule(
        primary=primary,
        baseline=baseline,
        controls=controls,
        absent_controls={f"{MORE_REAL}:{amount}": no_more_real} if no_more_real else {},
        margin=margin,
        generators=generators_of(rows, primary),
        repeats=_judged_repeats(rows, primary),
        exploratory=exploratory,
        unblinded=unblinded,
    )


def protocol_of_rows(rows: pd.DataFrame) -> tuple[str, str, str]:
    """Arm that the protocol of the predictions judges, the reason why it is exploratory, and the
    day since which areas were shown.

    All are empty where the rows do not tell.
    """
    values = []
    for name in ("primary_arm", "exploratory", UNBLINDED):
        texts = sorted(set(rows[name]) - {""})
        if len(texts) > 1:
            raise ConfigError(f"predictions of several protocols: {name} {', '.join(texts)}")
        values.append(texts[0] if texts else "")
    return values[0], values[1], values[2]


def _judged_repeats(rows: pd.DataFrame, primary: str) -> tuple[int, ...] | None:
    """Repeats that judge the primary arm; None if the rows do not tell."""
    if not (rows["judged"] != "").any():
        return None
    judged = rows[(rows["judged"] == "yes") & (rows["arm"] == primary)]
    if judged.empty:
        raise ConfigError(
            f"no repeat judges arm {primary!r}: its trainings took part in the choice of the arm; "
            "leave out --primary"
        )
    return tuple(int(repeat) for repeat in sorted(judged["repeat"].unique()))
