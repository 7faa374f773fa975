"""Choice of the count by validation: the best arm with synthetic images, recorded once."""

import logging
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from idhray.errors import ConfigError, StorageError
from idhray.experiment.arms import parse_arm
from idhray.experiment.protocol import Protocol, protocol_values
from idhray.experiment.settings import fresh_arms
from idhray.stages.experiment.outcome import PROTOCOL_FILE, SELECTION_FILE, main_model
from idhray.stages.experiment.plan import TrialPlan, absent_arms
from idhray.stats.roc.area import auc
from idhray.stats.sample import Scored
from idhray.storage import exists, join, publish_json, read_json
from idhray.table_parts import read_table
from idhray.tables import PREDICTIONS

logger = logging.getLogger(__name__)


def refuse_repeats_after_selection(out: str, protocol: Protocol) -> None:
    """Refuse more repeats once validation has selected the count on the planned ones."""
    path = join(out, SELECTION_FILE)
    if protocol.primary is None and exists(path):
        selected_on = int(read_json(path)["first_fresh_repeat"]) - 1
        if protocol.repeats != selected_on:
            raise ConfigError(
                f"{out}: validation selected the count on {selected_on} repeats, now --repeats is "
                f"{protocol.repeats}; give the old number, or choose another --out"
            )


def with_selected_count(plan: TrialPlan, out: str) -> tuple[str, TrialPlan]:
    """Arm with the highest mean AUC on validation, recorded, and the plan with its controls."""
    path = join(out, SELECTION_FILE)
    if not exists(path):
        first_fresh = plan.protocol.repeats + 1
        rows = read_table(out, PREDICTIONS).to_pandas()
        if (rows["repeat"] >= first_fresh).any():
            raise StorageError(
                f"{out}: fresh trainings of a selected count, but no {SELECTION_FILE}; restore it, "
                "or choose another --out: a selection after them would not be fresh"
            )
        areas = validation_areas(rows[rows["model"] == main_model(plan.protocol)])
        chosen = max(areas, key=lambda arm: (areas[arm], -parse_arm(arm).count))
        publish_json(path, {"arm": chosen, "val_auc": areas, "first_fresh_repeat": first_fresh})
        logger.info("%s: validation selected %s", out, chosen)
    primary = str(read_json(path)["arm"])
    arms = fresh_arms(plan.settings.protocol, parse_arm(primary).count)
    absent = absent_arms(arms, plan.fold_images)
    today = date.today().isoformat()
    joined = {arm.name: today for arm in arms if arm.name not in absent}
    protocol = replace(
        plan.protocol,
        arms=joined | dict(plan.protocol.arms),
        absent={**plan.protocol.absent, **absent},
    )
    publish_json(join(out, PROTOCOL_FILE), protocol_values(protocol))
    return primary, replace(plan, protocol=protocol)


def validation_areas(rows: pd.DataFrame) -> dict[str, float]:
    """Mean AUC on validation of each arm with synthetic images, over folds and repeats.

    Where a training failed, its fold and repeat count for no arm, so that all arms are compared on
    the same ones.

    Args:
        rows: PREDICTIONS rows of one classifier.

    Raises:
        StorageError: no fold and repeat has a training of every arm.
    """
    areas: dict[str, dict[tuple[int, int], float]] = {}
    of_split = rows[rows["split"] == "val"]
    for (arm, fold, repeat), group in of_split.groupby(["arm", "fold", "repeat"]):
        if parse_arm(str(arm)).kind == "synthetic":
            sample = Scored((group["idh"] == "mutant").astype(int), group["p_mutant"])
            areas.setdefault(str(arm), {})[fold, repeat] = auc(sample)
    blocks = set.intersection(*map(set, areas.values())) if areas else set()
    if not blocks:
        raise StorageError(
            "validation cannot select a count: no fold and repeat has a training of every count; "
            "run again, which tries the failed trainings once more"
        )
    return {arm: float(np.mean([of_arm[b] for b in blocks])) for arm, of_arm in areas.items()}
