"""Models of an experiment applied to new patients: slides or scans -> probabilities and a report.

cohort.parquet  tiles/ and patches/, or slices/  predictions/  statistics/  heatmaps/  report.html

Every setting is that of the models: images that were prepared otherwise would be other images.
Patients need no IDH status. Of those who have one, the statistics describe an external cohort.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from idhray import ledger
from idhray.ancestry import ancestor_of_model
from idhray.classify.trial_models import load_trial_card, model_folders
from idhray.cohorts.manifest import patients_of, read_manifest, write_manifest
from idhray.cohorts.modality import with_scans, with_slides
from idhray.config import settings_from
from idhray.errors import ConfigError, TableError
from idhray.leakage import HeldOut, assert_untouched
from idhray.mri.patient import MriSettings
from idhray.slides.patches import PatchSettings
from idhray.slides.tiling_settings import TilingSettings
from idhray.stages.cut_patches import CutPatchesFlags, cut_patches, patches_state
from idhray.stages.experiment.application import application_plan, application_state
from idhray.stages.experiment.heatmaps import draw_heatmaps, heatmaps_are_current
from idhray.stages.predict import PredictFlags, predict
from idhray.stages.prepare_mri import PrepareMriFlags, prepare_mri, slices_state
from idhray.stages.runtime.folder import DONE, seal
from idhray.stages.runtime.session import task_gpus
from idhray.stages.runtime.state import UP_TO_DATE, StageState
from idhray.stages.studies.external_statistics import (
    external_identity,
    external_state,
    fit_external,
)
from idhray.stages.studies.graph import StudyStage
from idhray.stages.studies.settings import PRESETS, StudyFlags
from idhray.stages.studies.study_cohort import COHORT_FILE, refuse_withdrawn
from idhray.stages.studies.study_run import StudyOutline, run_study
from idhray.stages.tile_slides import TileSlidesFlags, tile_slides, tiles_state
from idhray.stats.arms.columns import EXTERNAL
from idhray.stats.settings import StatsSettings
from idhray.storage import absolute, exists, join, publish, read_bytes, read_json
from idhray.table_parts import parts, read_part

OWNS = (
    COHORT_FILE,
    "tiles",
    "patches",
    "slices",
    "predictions",
    "statistics",
    "heatmaps",
    "report.html",
)


@dataclass(frozen=True, kw_only=True)
class Application:
    """Models, and the cohort that they are applied to."""

    manifest: str
    out: str
    models: str
    """Folder of a study, of `idhray sweep`, or of kept models."""
    flags: StudyFlags
    statistics: StatsSettings
    study: str = ""
    """Study that this is an external cohort of; empty for new patients."""

    @property
    def preparation(self) -> dict[str, Any]:
        """Preparation of the images that the models were trained on."""
        return dict(load_trial_card(model_folders(self.models)[0]).origin.preparation)

    @property
    def is_mri(self) -> bool:
        """True for models of MRI slices."""
        return bool(self.preparation.get("stage") == "prepare_mri")

    def cohort(self) -> pd.DataFrame:
        """Rows of the manifest with a slide or scans; all patients are tested.

        Raises:
            ManifestError: no row has any.
            ConfigError: the models do not record how slides become their images.
            LeakageError: a model saw one of the patients.
        """
        self._refuse_unknown_preparation()
        rows = read_manifest(self.manifest)
        rows = with_scans(rows, self.manifest) if self.is_mri else with_slides(rows, self.manifest)
        rows = rows.drop(columns="study", errors="ignore").assign(split="test")
        for folder in filter(None, (self.out, self.study)):
            refuse_withdrawn(folder, rows, self.manifest)
        names = dict.fromkeys(rows["patient"], EXTERNAL)
        held_out = HeldOut(cohort=self.manifest, roles=names, purpose="would predict")
        folders = model_folders(self.models)
        assert_untouched(held_out, [ancestor_of_model(folder) for folder in folders])
        return rows

    def _refuse_unknown_preparation(self) -> None:
        prepared = self.preparation
        is_known = self.is_mri or (
            prepared.get("stage") == "cut_patches"
            and prepared.get("tiles", {}).get("stage") == "tile_slides"
        )
        if not is_known:
            raise ConfigError(
                f"{self.models}: its models do not record how slides became their images "
                f"({prepared.get('stage') or 'made by another program'}); make a table of the new "
                "images in the same way and give it to `idhray predict --models`"
            )

    def stages(self, inputs: str) -> list[StudyStage]:
        """All stages in their order.

        Args:
            inputs: Folder of the cohort.
        """
        cohort = join(inputs, COHORT_FILE)
        statistics = join(self.out, "statistics")
        return [
            *(self._slice_stages(cohort) if self.is_mri else self._slide_stages(cohort)),
            StudyStage(
                name="predictions",
                state=self._predictions_state,
                run=lambda: predict(self._prediction()),
                is_cheap=True,
            ),
            StudyStage(
                name="statistics",
                state=lambda: external_state(
                    statistics,
                    external_identity(
                        self._statistics_inputs(), self._patients(cohort), self.statistics, ""
                    ),
                ),
                run=lambda: self._fit(cohort),
                is_cheap=True,
            ),
            *([self._heatmap_stage(cohort)] if self.flags.heatmaps else []),
            StudyStage(name="report", state=self._report_state, run=self._report, is_cheap=True),
        ]

    def _heatmap_stage(self, cohort: str) -> StudyStage:
        out, predictions = join(self.out, "heatmaps"), join(self.out, "predictions")

        def state() -> StageState:
            is_current = heatmaps_are_current(out, seal(predictions))
            return UP_TO_DATE if is_current else StageState(status="to do")

        def draw() -> None:
            tiles = self.preparation.get("tiles", {}).get("settings")
            draw_heatmaps(
                out,
                self.models,
                self._images,
                read_manifest(cohort),
                None if self.is_mri else settings_from(TilingSettings, tiles),
                seal=seal(predictions),
                gpus=task_gpus(self.flags.gpus),
            )

        return StudyStage(name="heatmaps", state=state, run=draw, is_cheap=True)

    @property
    def _images(self) -> str:
        return join(self.out, "slices" if self.is_mri else "patches")

    def _slide_stages(self, cohort: str) -> list[StudyStage]:
        prepared = self.preparation
        tiles = TileSlidesFlags(
            manifest=cohort,
            out=join(self.out, "tiles"),
            settings=settings_from(TilingSettings, prepared["tiles"]["settings"]),
            seed=self.flags.seed,
            workers=self.flags.workers,
            max_failures=self.flags.max_failures,
            update=self.flags.update,
        )
        patches = CutPatchesFlags(
            tiles=tiles.out,
            out=self._images,
            settings=settings_from(PatchSettings, prepared["settings"]),
            all_patients=True,
            seed=self.flags.seed,
            workers=self.flags.workers,
            max_failures=self.flags.max_failures,
            update=self.flags.update,
        )
        return [
            StudyStage(
                name="tiles", state=lambda: tiles_state(tiles), run=lambda: tile_slides(tiles)
            ),
            StudyStage(
                name="patches",
                state=lambda: self._patches_state(patches),
                run=lambda: cut_patches(patches),
            ),
        ]

    @staticmethod
    def _patches_state(patches: CutPatchesFlags) -> StageState:
        """State of the patches.

        Raises:
            TableError: no slide gave a tile.
        """
        if exists(join(patches.tiles, DONE)) and not parts(patches.tiles):
            fates = ledger.fates(patches.tiles)
            first = next((fate.error for fate in fates.values() if fate.error), "")
            raise TableError(
                f"{patches.tiles}: none of {len(fates)} slides gave a tile ({first}), so nobody "
                "can be predicted; see its ledger"
            )
        return patches_state(patches)

    def _slice_stages(self, cohort: str) -> list[StudyStage]:
        slices = PrepareMriFlags(
            manifest=cohort,
            out=self._images,
            settings=settings_from(MriSettings, self.preparation["settings"]),
            seed=self.flags.seed,
            workers=self.flags.workers,
            max_failures=self.flags.max_failures,
            update=self.flags.update,
        )
        return [
            StudyStage(
                name="slices", state=lambda: slices_state(slices), run=lambda: prepare_mri(slices)
            )
        ]

    def _prediction(self, *, overwrite: bool = True) -> PredictFlags:
        return PredictFlags(
            models=self.models,
            images=self._images,
            out=join(self.out, "predictions"),
            gpus_per_worker=self.flags.gpus,
            overwrite=overwrite,
        )

    def _predictions_state(self) -> StageState:
        plan = application_plan(self.models, self._images)
        return application_state(join(self.out, "predictions"), plan)

    def _statistics_inputs(self) -> dict[str, Any]:
        return {"predictions": [seal(join(self.out, "predictions"))]}

    @staticmethod
    def _patients(cohort: str) -> pd.DataFrame:
        return patients_of(read_manifest(cohort))

    def _fit(self, cohort: str) -> None:
        folder = join(self.out, "predictions")
        rows = pd.concat([read_part(path).to_pandas() for path in parts(folder)])
        people = self._patients(cohort)
        fit_external(
            join(self.out, "statistics"),
            rows,
            people,
            self.statistics,
            inputs=self._statistics_inputs(),
            overwrite=True,
            source=folder,
            without_score=self._without_score(people, rows),
        )

    def _without_score(self, people: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
        """Patients of the manifest who have no prediction: no image of theirs could be made."""
        return sorted(set(people["patient"]) - set(rows["patient"]))

    def _report(self) -> None:
        publish(join(self.out, "report.html"), read_bytes(self._page))

    def _report_state(self) -> StageState:
        path = join(self.out, "report.html")
        is_same = exists(path) and exists(self._page) and read_bytes(path) == read_bytes(self._page)
        return UP_TO_DATE if is_same else StageState(status="to do")

    @property
    def _page(self) -> str:
        return join(self.out, "statistics", "tables.html")


def apply_models(flags: StudyFlags) -> dict[str, Any]:
    """Apply the kept models of an experiment to the patients of a manifest."""
    application = application_of(flags)
    unfinished = run_application(application)
    return application_result(application.out) if unfinished is None else unfinished


def run_application(application: Application) -> dict[str, Any] | None:
    """Run the stages of an application; see `run_study` for the result."""
    rows = application.cohort()

    def write(folder: str) -> None:
        write_manifest(join(folder, COHORT_FILE), rows)

    outline = StudyOutline(
        kind="application",
        flags=application.flags,
        settings=application.flags.settings,
        owns=OWNS,
        changes=(),
        write_inputs=write,
        before_start=lambda: write(application.out),
        stages=application.stages,
    )
    return run_study(outline)


def application_of(flags: StudyFlags) -> Application:
    """Application that the flags ask for.

    Raises:
        ConfigError: --models is missing, or flags or settings of a study are given.
    """
    if not flags.models:
        raise ConfigError("--apply-to needs --models, the folder of a study or of `idhray sweep`")
    names = ("patches", "normals", "readings", "consensus", "experiment", "amend", "reuse")
    if foreign := [name for name in ("manifest", *names) if getattr(flags, name)]:
        raise ConfigError(f"--{foreign[0]} does not belong to --apply-to; leave it out")
    if flags.settings not in PRESETS.values():
        raise ConfigError(
            "--apply-to takes every setting from the models; leave the flags of settings out"
        )
    return Application(
        manifest=absolute(flags.apply_to or ""),
        out=absolute(flags.out),
        models=absolute(flags.models),
        flags=flags,
        statistics=StatsSettings(),
    )


def application_result(out: str) -> dict[str, Any]:
    """Result of an application for the terminal."""
    values = read_json(join(out, "statistics", "statistics.json"))
    text = values["sentence"]
    return {
        "report": join(out, "report.html"),
        "patients": join(out, "statistics", "patients.csv"),
        **values["counts"],
        "sentence": text,
        "text": text,
    }
