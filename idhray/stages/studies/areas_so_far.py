"""Areas of the arms before all trainings are done, for a study whose protocol records --unblind."""

from typing import Any

import pandas as pd

from idhray.classify.aggregate import concordance
from idhray.cohorts.manifest import LABELS
from idhray.errors import IdhrayError
from idhray.experiment.arms import REAL
from idhray.experiment.protocol import protocol_from
from idhray.stages.experiment.outcome import PROTOCOL_FILE, main_model
from idhray.stages.runtime.folder import DONE
from idhray.stats.arms.columns import TEST
from idhray.stats.text import signed
from idhray.storage import exists, join, read_json
from idhray.table_parts import parts, read_table
from idhray.tables import PREDICTIONS

BLOCK = ["fold", "repeat"]


def areas_so_far(sweep: str) -> dict[str, Any]:
    """Mean areas over the blocks in which every arm is trained; empty unless they may be shown.

    They may be shown while trainings are left and the protocol records it.

    Args:
        sweep: Folder of the experiment.
    """
    path = join(sweep, PROTOCOL_FILE)
    if not exists(path) or exists(join(sweep, DONE)) or not parts(sweep):
        return {}
    try:
        protocol = protocol_from(read_json(path))
        if not protocol.unblinded:
            return {}
        rows = read_table(sweep, PREDICTIONS).to_pandas()
    except (IdhrayError, OSError):
        return {}
    is_judged = (rows["split"] == TEST) & (rows["model"] == main_model(protocol))
    rows = rows[is_judged & rows["idh"].isin(LABELS)]
    areas = rows.groupby([*BLOCK, "arm"])[["idh", "p_mutant"]].apply(_area).unstack("arm")
    areas = areas.reindex(columns=list(protocol.arms)).dropna()
    if not len(areas):
        return {}
    means = areas.mean()
    primary = protocol.primary or ""
    return {
        "since": protocol.unblinded,
        "blocks": len(areas),
        "planned": protocol.decisive["fold_count"] * protocol.planned_repeats,
        "arms": {arm: f"{mean:.3f}" for arm, mean in means.items()},
        "primary": primary,
        "difference": signed(means[primary] - means[REAL.name]) if primary else "",
    }


def _area(rows: pd.DataFrame) -> float | None:
    labels = (rows["idh"] == "mutant").to_numpy().astype("int8")
    return concordance(labels, rows["p_mutant"].to_numpy())
