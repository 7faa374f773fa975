"""The finished sweep as the statistics read it: predictions, trials and the rule of the verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from idhray.ancestry import ANCESTRY
from idhray.errors import SettingsChangedError, StorageError
from idhray.experiment.classifiers import model_name
from idhray.experiment.protocol import Protocol, decision_rule, protocol_from
from idhray.stages.experiment.feature_tables import ENCODER_FILE
from idhray.stages.experiment.trial import TRIALS_FOLDER
from idhray.stages.runtime.folder import sealed_parts
from idhray.stats.arms.columns import TEST, prediction_rows
from idhray.stats.arms.contrasts import ArmAreas, arm_contrasts
from idhray.stats.arms.early_stopping import may_stop
from idhray.stats.arms.predictions import predictions_of
from idhray.stats.arms.rule import DecisionRule
from idhray.storage import SETTINGS, exists, join, read_json
from idhray.table_parts import read_table
from idhray.tables import PREDICTIONS, TRIALS

PROTOCOL_FILE, SELECTION_FILE = "protocol.json", "selection.json"
GENERATORS_FILE = "generators.json"


@dataclass(frozen=True, kw_only=True)
class SweepOutcome:
    """Everything that a sweep leaves for the statistics."""

    predictions: pd.DataFrame
    trials: pd.DataFrame
    model: str
    """Classifier that gives the verdict, as in the column `model`."""
    protocol: Protocol
    rule: DecisionRule
    generators: list[dict[str, Any]]
    """Generators in use: generator, idh, fold, seed, gate, reasons."""
    encoder: Mapping[str, str] = field(default_factory=dict)
    """Name, digest, license and pretraining of the frozen encoder; empty without one."""

    def of_model(self, model: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Predictions and trials of one classifier."""
        rows, trials = self.predictions, self.trials
        return rows[rows["model"] == model], trials[trials["model"] == model]

    @property
    def other_models(self) -> list[str]:
        """Classifiers that describe and do not judge."""
        return sorted(set(self.predictions["model"]) - {self.model})


def is_experiment(folder: str) -> bool:
    """True for a sweep with a protocol; False for one of version 0.1."""
    return exists(join(folder, PROTOCOL_FILE))


def refuse_older_version(out: str, *, overwrite: bool) -> None:
    """Refuse to continue a sweep or study of version 0.1, which has no protocol.

    Raises:
        SettingsChangedError: `out` is such a folder, and it is not to be overwritten.
    """
    if overwrite or not exists(join(out, SETTINGS)):
        return
    settings = read_json(join(out, SETTINGS))
    if "counts" in settings:
        raise SettingsChangedError(
            f"{out}: a {settings['stage']} of an earlier version, without controls and protocol; "
            "`report` and `fit-stats` read it, but it cannot be continued: choose another --out, "
            "or --overwrite to start again"
        )


def read_outcome(folder: str, *, unfinished: bool = False) -> SweepOutcome:
    """Predictions, trials, protocol and rule of a finished sweep.

    While a finished sweep is extended, its earlier trainings alone are read.

    Args:
        folder: Folder of `idhray sweep`.
        unfinished: Read all trainings that are finished so far.

    Raises:
        StorageError: validation has not selected the count yet.
    """
    protocol = protocol_from(read_json(join(folder, PROTOCOL_FILE)))
    recorded = read_json(join(folder, GENERATORS_FILE))
    generators = list(recorded["generators"])
    names = None if unfinished else sealed_parts(folder)
    rows = read_table(folder, PREDICTIONS, part_names=names).to_pandas()
    trials = read_table(join(folder, TRIALS_FOLDER), TRIALS, part_names=names).to_pandas()
    primary, fresh = protocol.primary, tuple[int, ...]()
    if primary is None:
        if not exists(join(folder, SELECTION_FILE)):
            raise StorageError(f"{folder}: not finished, no count is selected; finish the sweep")
        selection = read_json(join(folder, SELECTION_FILE))
        primary, first = selection["arm"], selection["first_fresh_repeat"]
        fresh = tuple(range(first, first + protocol.decisive["fresh_repeats"]))
    rule = decision_rule(protocol, primary, fresh=fresh, failed_gates=failed(generators))
    return SweepOutcome(
        predictions=rows,
        trials=trials,
        model=main_model(protocol),
        protocol=protocol,
        rule=replace(rule, epochs=epochs_of(protocol), ancestry=tuple(recorded.get(ANCESTRY, ()))),
        generators=generators,
        encoder=read_json(join(folder, ENCODER_FILE)) if exists(join(folder, ENCODER_FILE)) else {},
    )


def attention_by_arm(trials: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Arm -> mean attention on added images, and their mean share of the images seen.

    Args:
        trials: TRIALS rows; those of other classifiers have no attention.
    """
    rows = trials[trials["attention_added"].notna()]
    means = rows.groupby("arm", sort=False)[["attention_added", "slots_added"]].mean()
    return {str(arm): {str(k): float(v) for k, v in row.items()} for arm, row in means.iterrows()}


def precise_enough(folder: str) -> bool:
    """True if trainings add little to the width of all judged intervals; see `may_stop`."""
    outcome = read_outcome(folder, unfinished=True)
    rows = prediction_rows(outcome.of_model(outcome.model)[0], source=folder)
    areas = ArmAreas(predictions_of(rows, TEST, source=folder))
    contrasts = arm_contrasts(areas, outcome.rule, areas.predictions.repeats)
    return may_stop([item.contrast for item in contrasts if item.role != "secondary"])


def failed(generators: list[dict[str, Any]]) -> tuple[str, ...]:
    """Names of the generators that failed their gate."""
    return tuple(
        f"{entry['idh']} of fold {entry['fold']}" if entry["fold"] else entry["idh"]
        for entry in generators
        if entry["gate"] == "failed"
    )


def main_model(protocol: Protocol) -> str:
    """Name in the column `model` of the classifier that gives the verdict."""
    classifier = protocol.decisive["classifier"]
    return model_name(classifier["kinds"][0], classifier)


def epochs_of(protocol: Protocol) -> Any:
    """Source of each training's epoch, as the rule names it."""
    classifier = protocol.decisive["classifier"]
    kind = classifier["kinds"][0]
    by_loss = kind == "abmil" or (kind == "network" and classifier["select_by"] == "val_loss")
    return "chosen on validation" if by_loss else "fixed"
