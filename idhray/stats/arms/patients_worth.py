"""A gain in AUC expressed in patients, by arms trained on a share of the patients."""

from dataclasses import dataclass

import pandas as pd

from idhray.stats.arms.names import FEWER_PATIENTS, arm_name
from idhray.stats.arms.rule import DecisionRule
from idhray.stats.text import printed


@dataclass(frozen=True, kw_only=True)
class PatientsWorth:
    """The number of training patients whose loss costs as much AUC as the images gain."""

    patients: float
    """NaN if fewer patients did not lower the area."""
    sentence: str


def patients_worth(
    arms: pd.DataFrame, rule: DecisionRule, training_patients: float
) -> PatientsWorth | None:
    """The gain of the primary arm in patients; None without an arm of fewer patients.

    The slope of the area over patients is a line through the baseline, by least squares over the
    arms `fewer-patients:f` on a share f of the patients. It is a description without an interval.

    Args:
        arms: As `arm_table` returns them.
        rule: Names of primary arm and baseline.
        training_patients: Mean number of training patients of a fold.
    """
    areas = arms.set_index("arm")["auc"]
    if not {rule.primary, rule.baseline} <= set(areas.index):
        return None
    lost, drop = [], []
    for arm, area in areas.items():
        name = arm_name(str(arm))
        if name.kind == FEWER_PATIENTS and name.amount is not None and not name.suffix:
            lost.append((1 - name.amount) * training_patients)
            drop.append(float(areas[rule.baseline] - area))
    if not lost:
        return None
    slope = sum(x * y for x, y in zip(lost, drop, strict=True)) / sum(x * x for x in lost)
    if slope <= 0:
        text = "Training on fewer patients did not lower the AUC, so that no gain equals patients."
        return PatientsWorth(patients=float("nan"), sentence=text)
    patients = float(areas[rule.primary] - areas[rule.baseline]) / slope
    return PatientsWorth(
        patients=patients,
        sentence=f"The gain is worth about {printed(patients, 0)} of {training_patients:.0f} "
        "training patients (point estimates of the arms on fewer patients).",
    )
