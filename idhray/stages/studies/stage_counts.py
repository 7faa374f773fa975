"""Work of a study that is done and that is left, by stage, and the time that is left.

The totals follow from the cohort and the protocol, so that they are known before a stage begins.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from idhray import ledger
from idhray.cohorts.folds import FOLDS_FILE, read_folds
from idhray.cohorts.manifest import read_manifest
from idhray.config import recorded_settings
from idhray.errors import IdhrayError
from idhray.experiment.protocol import protocol_from
from idhray.experiment.settings import ProtocolSettings, planned_arms, resolved_counts
from idhray.experiment.trials import planned_trials
from idhray.stages.experiment.outcome import PROTOCOL_FILE
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.stages.runtime.folder import DONE
from idhray.stages.runtime.training import history_of
from idhray.stages.studies.generators import planned_generators
from idhray.stages.studies.numbered_folder import current_folder
from idhray.stages.studies.record import study_record, study_settings
from idhray.stages.studies.settings import generator_values
from idhray.stages.studies.study_cohort import COHORT_FILE
from idhray.storage import SETTINGS, exists, join, read_json

NORMALS_FILE = "normals.parquet"
LEAST_S = 20.0
"""Seconds of a stage before a rate is computed from them."""


@dataclass(frozen=True, kw_only=True)
class StageCount:
    """Work of one stage."""

    stage: str
    done: float
    total: float
    unit: str

    @property
    def fraction(self) -> float:
        """Share that is done, 0..1."""
        return min(self.done / self.total, 1.0) if self.total else 1.0

    @property
    def words(self) -> str:
        """Work in words, such as `12 of 60 slides`."""
        if not self.unit:
            return "done" if self.is_done else "to do"
        return f"{self.done:.4g} of {self.total:.4g} {self.unit}"

    @property
    def is_done(self) -> bool:
        """True if nothing is left."""
        return self.done >= self.total


def stage_counts(study: str) -> list[StageCount]:
    """Work of each stage of a study, in order; empty before its cohort is written."""
    if not exists(join(study, COHORT_FILE)):
        return []
    kind = read_json(join(study, SETTINGS)).get("kind", "slides")
    counts = _mri_counts(study) if kind == "mri" else _slide_counts(study)
    statistics = StageCount(stage="statistics", done=_sealed(study, "statistics"), total=1, unit="")
    return [*counts, statistics]


def _slide_counts(study: str) -> Iterator[StageCount]:
    settings = study_settings(study)
    slides = len(read_manifest(join(study, COHORT_FILE)))
    patches = join(study, "patches")
    is_given = study_record(study).get("patches", patches) != patches
    if exists(join(study, "tiles", SETTINGS)) or not is_given:
        for name in ("tiles", "patches"):
            yield _items(study, name, slides, "slides")
    if "protocol" not in settings:
        return
    protocol = recorded_settings(ProtocolSettings, settings["protocol"])
    one_network = bool(settings.get("one_network"))
    places = [*planned_generators(protocol, one_network=one_network)]
    places = [] if protocol.real_only else places
    if places:
        each = float(generator_values(settings)["total_kimg"])
        folders = {place.folder(study, "gan") for place in places}
        shown = sum(_kimg(folder, each) for folder in folders)
        yield StageCount(stage="generators", done=shown, total=each * len(folders), unit="kimg")
        finished = sum(exists(join(place.folder(study, "synthetic"), DONE)) for place in places)
        yield StageCount(stage="synthetic", done=finished, total=len(places), unit="tables")
    yield _trainings(study, settings, protocol)


def _mri_counts(study: str) -> Iterator[StageCount]:
    settings = study_settings(study)
    manifests, gans = {"slices": COHORT_FILE}, {"gan-mutant": "gan"}
    if exists(join(study, NORMALS_FILE)):
        manifests["slices-normal"] = NORMALS_FILE
        gans = {"gan-normal": "pretraining", **gans}
    for name, manifest in manifests.items():
        yield _items(study, name, len(read_manifest(join(study, manifest))), "studies")
    for name, group in gans.items():
        if group in settings:
            total = float(settings[group]["total_kimg"])
            shown = _kimg(current_folder(study, name), total)
            yield StageCount(stage=name, done=shown, total=total, unit="kimg")
    for name in ("synthetic-mutant", "form"):
        is_sealed = exists(join(current_folder(study, name), DONE))
        yield StageCount(stage=name, done=is_sealed, total=1, unit="")


def _items(study: str, name: str, total: int, unit: str) -> StageCount:
    """Inputs of a stage that have a fate; all of a finished one."""
    folder = current_folder(study, name)
    finished = len(ledger.fates(folder))
    return StageCount(
        stage=name,
        done=finished,
        total=max(finished, 1) if exists(join(folder, DONE)) else max(total, finished),
        unit=unit,
    )


def _kimg(folder: str, total: float) -> float:
    """Thousands of images that a training has shown so far."""
    if exists(join(folder, DONE)):
        return total
    history = history_of(folder)
    return min(float(history[-1].get("kimg", 0.0)), total) if history else 0.0


def _sealed(study: str, name: str) -> int:
    return int(exists(join(study, name, DONE)))


def _trainings(study: str, settings: Mapping[str, Any], protocol: ProtocolSettings) -> StageCount:
    """Trainings of the experiment: those of its protocol, or of the settings before there is one.

    Fresh trainings of a count that validation selects are not counted.
    """
    sweep, folds = join(study, "sweep"), join(study, FOLDS_FILE)
    numbers = read_folds(folds).numbers() if exists(folds) else range(1, protocol.fold_count + 1)
    if exists(join(sweep, PROTOCOL_FILE)):
        written = protocol_from(read_json(join(sweep, PROTOCOL_FILE)))
        arms, repeats = tuple(written.arms), written.repeats
        kinds = tuple(written.decisive["classifier"].get("kinds", ("network",)))
        networks: tuple[str, ...] = tuple(written.networks)
    else:
        counts = resolved_counts(protocol, 2 * settings["patches"]["train_per_class"])
        arms = tuple(arm.name for arm in planned_arms(protocol, counts))
        repeats, kinds, networks = protocol.repeats, ExperimentSettings().classifiers, ()
    total = len(planned_trials(list(numbers), range(1, repeats + 1), arms, kinds, networks))
    finished = sum(fate.status == "done" for fate in ledger.fates(sweep).values())
    total = finished if exists(join(sweep, DONE)) else max(total, finished)
    return StageCount(stage="sweep", done=finished, total=total, unit="trainings")


@dataclass
class StageRates:
    """Rates of the stages, measured between the looks of one run."""

    first: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Stage -> time in seconds and work done, when work of this run was seen first."""

    def look(self, counts: Sequence[StageCount], now: float | None = None) -> dict[str, float]:
        """Stage -> seconds that are left by its rate; stages without a rate are left out.

        Args:
            counts: Present work of the stages.
            now: Time of the look in seconds, for tests.
        """
        now = time.monotonic() if now is None else now
        left = {}
        for count in counts:
            begun, done = self.first.setdefault(count.stage, (now, count.done))
            if count.done == done:  # nothing moved yet: the clock starts with the first work
                self.first[count.stage] = (now, done)
                continue
            if not count.is_done and now - begun >= LEAST_S:
                rate = (count.done - done) / (now - begun)
                left[count.stage] = (count.total - count.done) / rate
        return left


def safe_counts(study: str) -> list[StageCount]:
    """Counts of a study whose files may be half written; empty if they cannot be read."""
    try:
        return stage_counts(study)
    except (IdhrayError, OSError, ValueError, KeyError):
        return []
