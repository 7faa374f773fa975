"""External cohorts of a study of slides: OUT/external/NAME, an application of its own models.

NAME is that of the manifest. The models are applied once; nothing of a cohort changes the verdict.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from idhray.cohorts.manifest import patients_of, read_manifest, write_manifest
from idhray.errors import ConfigError
from idhray.report.content import ReportTable
from idhray.stages.runtime.folder import seal
from idhray.stages.runtime.state import UP_TO_DATE, StageState
from idhray.stages.studies.application import Application, run_application
from idhray.stages.studies.external_statistics import (
    external_report_tables,
    only_synthetic,
    sections,
)
from idhray.stages.studies.graph import StudyStage, planned_stages
from idhray.stages.studies.settings import StudyFlags
from idhray.stages.studies.study_cohort import COHORT_FILE
from idhray.stats.arms.columns import prediction_rows
from idhray.stats.external.scores import external_scores
from idhray.stats.external.tables import external_tables
from idhray.stats.settings import StatsSettings
from idhray.storage import absolute, exists, join, list_folders
from idhray.table_parts import parts, read_part

EXTERNAL_FOLDER = "external"


def external_stages(flags: StudyFlags, root: str, statistics: StatsSettings) -> list[StudyStage]:
    """One stage for each external cohort.

    Args:
        flags: Flags of the study.
        root: Folder of the experiment.
        statistics: Threshold and age groups.

    Raises:
        ConfigError: two manifests have one name.
    """
    names = [cohort_name(manifest) for manifest in flags.external]
    if twice := sorted(name for name in set(names) if names.count(name) > 1):
        raise ConfigError(f"--external: two manifests are called {twice[0]}; rename one of them")
    return [
        _stage(_application(flags, root, manifest, statistics), name)
        for name, manifest in zip(names, flags.external, strict=True)
    ]


def cohort_name(manifest: str) -> str:
    """Name of a cohort: that of the file of its manifest."""
    return manifest.rstrip("/").rpartition("/")[2].rpartition(".")[0] or manifest


def _application(
    flags: StudyFlags, root: str, manifest: str, statistics: StatsSettings
) -> Application:
    out = join(root, EXTERNAL_FOLDER, cohort_name(manifest))
    return Application(
        manifest=absolute(manifest),
        out=out,
        models=join(root, "sweep"),
        flags=replace(
            flags, out=out, overwrite=False, dry_run=False, from_=None, until=None, external=()
        ),
        statistics=statistics,
        study=absolute(flags.out),
    )


def _stage(application: Application, name: str) -> StudyStage:
    return StudyStage(
        name=f"external {name}",
        state=lambda: _state(application),
        run=lambda: run_application(application),
    )


def _state(application: Application) -> StageState:
    """State of an external cohort: the first of its stages with work left."""
    rows = application.cohort()
    with tempfile.TemporaryDirectory() as folder:
        write_manifest(join(folder, COHORT_FILE), rows)
        planned = planned_stages(application.stages(folder), application.out)
    left = [each for each in planned if each.state is None or not each.state.is_done]
    if not left:
        return UP_TO_DATE
    state = left[0].state
    reason = state.reason if state else ""
    return StageState(status="to do", reason=f"{left[0].stage.name} {reason}".strip())


def external_seals(root: str) -> list[str]:
    """Seals of the statistics of all external cohorts of an experiment."""
    return [seal(folder) for folder in _statistics_folders(root).values()]


def external_sections(root: str, settings: StatsSettings) -> list[ReportTable]:
    """Tables of all external cohorts, for the report of the study."""
    return sections({name: _tables(root, name, settings) for name in _statistics_folders(root)})


def _statistics_folders(root: str) -> dict[str, str]:
    """Name of a cohort -> folder of its finished statistics."""
    folder = join(root, EXTERNAL_FOLDER)
    folders = {name: join(folder, name, "statistics") for name in list_folders(folder)}
    return {n: path for n, path in folders.items() if exists(join(path, "statistics.json"))}


def _tables(root: str, name: str, settings: StatsSettings) -> Sequence[ReportTable]:
    out = join(root, EXTERNAL_FOLDER, name)
    folder = join(out, "predictions")
    rows = pd.concat([read_part(path).to_pandas() for path in parts(folder)])
    scores = external_scores(prediction_rows(rows, source=folder), source=folder)
    people = patients_of(read_manifest(join(out, COHORT_FILE)))
    tables = external_tables(scores, people, settings, primary=only_synthetic(scores))
    return external_report_tables(tables)
