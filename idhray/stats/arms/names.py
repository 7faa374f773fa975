"""Names of arms: `real`, `synthetic:600`, `duplicate:600`, `fewer-patients:0.5`, `real+online`."""

from collections.abc import Iterable
from dataclasses import dataclass

SYNTHETIC, DUPLICATE, MORE_REAL = "synthetic", "duplicate", "more-real"
CLASSIC, SHUFFLED, FEWER_PATIENTS = "classic", "shuffled", "fewer-patients"
CONTROLS = (DUPLICATE, MORE_REAL)
"""Kinds of arms that synthetic images must beat, besides the baseline."""

_WORDS = {
    SYNTHETIC: "synthetic images",
    DUPLICATE: "training images shown once more",
    MORE_REAL: "further real images of the training patients",
    CLASSIC: "training images turned, mirrored or jittered",
    SHUFFLED: "synthetic images with labels permuted",
}


@dataclass(frozen=True, kw_only=True)
class ArmName:
    """The parts of an arm's name."""

    kind: str
    """The word before the colon."""
    amount: float | None
    """The number after the colon: images, or a share of the training patients."""
    suffix: str
    """`online` of `real+online`; empty if there is none."""


def arm_name(arm: str) -> ArmName:
    """The parts of `KIND`, `KIND:AMOUNT` or `KIND:AMOUNT+SUFFIX`; other text is a kind alone."""
    stem, _, suffix = arm.partition("+")
    kind, _, amount = stem.partition(":")
    try:
        return ArmName(kind=kind, amount=float(amount) if amount else None, suffix=suffix)
    except ValueError:
        return ArmName(kind=stem, amount=None, suffix=suffix)


def arm_words(arm: str) -> str:
    """The arm in words for a sentence: `600 synthetic images`; its name where no words exist."""
    name = arm_name(arm)
    if name.kind not in _WORDS:
        return f"arm {arm}"
    count = "" if name.amount is None else f"{name.amount:,g} "
    online = " with online augmentation" if name.suffix else ""
    return f"{count}{_WORDS[name.kind]}{online}"


def arm_order(arm: str, baseline: str) -> tuple[bool, str, str, float, str]:
    """Sort key of arms: the baseline, then kinds by name, smaller amounts first."""
    name = arm_name(arm)
    return (arm != baseline, name.suffix, name.kind, name.amount or 0.0, arm)


def matched_baseline(arm: str, baseline: str, arms: Iterable[str]) -> str:
    """The baseline of an arm: `real+online` of `synthetic:600+online`, if that arm exists."""
    suffix = arm_name(arm).suffix
    with_suffix = f"{baseline}+{suffix}"
    return with_suffix if suffix and arm != with_suffix and with_suffix in set(arms) else baseline
