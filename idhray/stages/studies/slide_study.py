"""A study of slides: patches -> generators of each fold -> experiment -> statistics -> report.

cohort.parquet  folds.parquet  tiles/  patches/  generators/  sweep/  statistics/  report.html
external/NAME/      a further cohort, to which the models are applied
experiments/NAME/   sweep/, statistics/ and report.html of a further experiment
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from idhray import ledger
from idhray.cohorts.folds import FOLDS_FILE
from idhray.cohorts.manifest import patients_of, read_manifest
from idhray.cohorts.manifest_notes import STUDY_NOTES, copy_notes
from idhray.config import settings_dict
from idhray.errors import ConfigError
from idhray.stages.cut_patches import CutPatchesFlags, cut_patches, patches_state
from idhray.stages.evaluate_gan import EvaluateGanFlags
from idhray.stages.experiment.checks import refuse_unusable_weights
from idhray.stages.experiment.outcome import refuse_older_version
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.stages.gan_training.task import GanTask
from idhray.stages.runtime.folder import seal
from idhray.stages.runtime.state import UP_TO_DATE, StageState
from idhray.stages.studies.dry_run import study_dry_run
from idhray.stages.studies.experiment_statistics import fit_sweep, statistics_state
from idhray.stages.studies.external_cohorts import (
    EXTERNAL_FOLDER,
    external_seals,
    external_stages,
)
from idhray.stages.studies.generator_stages import ImagesOfGenerator, gan_stage, synthetic_stage
from idhray.stages.studies.generators import (
    GENERATORS,
    StudyGenerator,
    images_of_generator,
    planned_generators,
    refuse_one_pair_of_many_folds,
    training_tasks,
)
from idhray.stages.studies.graph import StudyStage
from idhray.stages.studies.numbered_folder import NumberedFolder
from idhray.stages.studies.preparation import log_detectable_gain
from idhray.stages.studies.progress_page import PROGRESS_FILES
from idhray.stages.studies.record import (
    APPENDIX,
    APPENDIX_PAGE,
    CHECKLISTS,
    EXPERIMENTS,
    REPORT_FILES,
    add_to_experiment,
    experiment_record,
    experiment_root,
    experiment_roots,
    record_patches,
)
from idhray.stages.studies.reuse import reuse_folders
from idhray.stages.studies.settings import StudyFlags, StudySettings
from idhray.stages.studies.slide_report import slide_report
from idhray.stages.studies.study_cohort import COHORT_FILE, study_cohort
from idhray.stages.studies.study_run import StudyOutline, run_study
from idhray.stages.sweep import SweepFlags, sweep, sweep_before_generators, sweep_state
from idhray.stages.synthesize import SynthesizeFlags
from idhray.stages.tile_slides import TileSlidesFlags, tile_slides, tiles_state
from idhray.storage import absolute, exists, join, read_json

OWNS = (
    COHORT_FILE,
    STUDY_NOTES,
    "tiles",
    "patches",
    "gan-*",
    "evaluation-*",
    "synthetic-*",
    FOLDS_FILE,
    GENERATORS,
    "sweep",
    "statistics",
    "report.html",
    REPORT_FILES,
    CHECKLISTS,
    APPENDIX,
    APPENDIX_PAGE,
    *PROGRESS_FILES,
    EXPERIMENTS,
    EXTERNAL_FOLDER,
)


def slide_study(flags: StudyFlags, settings: StudySettings) -> dict[str, Any]:
    """Run a study of slides, each stage in a folder of its own; the same command continues."""
    out = absolute(flags.out)
    patches = absolute(flags.patches) if flags.patches else None
    if patches and f"{patches}/".startswith(f"{out}/"):
        raise ConfigError(f"--patches {patches} lies in --out {out}; choose another --out")
    root = experiment_root(out, flags.experiment)
    refuse_older_version(out, overwrite=flags.overwrite)
    refuse_one_pair_of_many_folds(settings.protocol)
    refuse_unusable_weights(_experiment(settings))
    cohort = study_cohort(flags, settings.protocol, patches)

    def before_start() -> None:
        if settings.protocol.fold_count == 1:
            log_detectable_gain(cohort.rows)
        cohort.write(out)  # by every run: an archive may have moved in the meantime
        copy_notes(flags.manifest, out)
        record_patches(out, patches or join(out, "patches"))
        add_to_experiment(root, settings=settings_dict(settings))

    def stages(inputs: str) -> Sequence[StudyStage]:
        return SlideStages(flags=flags, settings=settings, inputs=inputs, root=root).stages()

    outline = StudyOutline(
        kind="slides",
        flags=flags,
        settings=settings,
        owns=OWNS,
        changes=cohort.changes,
        trains_anew=cohort.trains_anew,
        write_inputs=cohort.write,
        before_start=before_start,
        stages=stages,
        further_lines=lambda: study_dry_run(cohort.folds, settings, flags.keep_models),
    )
    unfinished = run_study(outline)
    if unfinished is not None:
        return unfinished
    return {
        "report": join(root, "report.html"),
        "patients": len(cohort.folds.labels()),
        "folds": len(cohort.folds.numbers()),
        **_answer(root),
    }


def _experiment(settings: StudySettings) -> ExperimentSettings:
    return ExperimentSettings(protocol=settings.protocol, classifier=settings.classifier)


def _has_trainings(root: str) -> bool:
    fates = ledger.fates(join(root, "sweep"))
    return any(fate.status == "done" for fate in fates.values())


def _answer(root: str) -> dict[str, str]:
    """Answer of an experiment, and its sentence."""
    recorded = experiment_record(root)
    if "answer" in recorded:
        return {name: recorded[name] for name in ("answer", "sentence")}
    verdict = read_json(join(root, "statistics", "statistics.json"))["verdict"]
    return {"answer": verdict["answer"], "sentence": verdict["text"]}


@dataclass(frozen=True, kw_only=True)
class SlideStages:
    """Stages of a study of slides."""

    flags: StudyFlags
    settings: StudySettings
    inputs: str
    """Folder of the cohort and the folds: that of the study, or a temporary one of a plan."""
    root: str
    """Folder of the experiment."""

    def stages(self) -> list[StudyStage]:
        """All stages in their order; tiles and patches are left out if a table replaces them."""
        generators = {each.name: each for each in self._generators()}
        return [
            *([] if self.flags.patches else self._tables()),
            gan_stage(
                "generators",
                self._trainings,
                {each.network: each.folder_name("gan") for each in generators.values()},
                self.flags,
                self._any_results,
                meanwhile=self._sweep_before_generators,
            ),
            synthetic_stage(
                {name: self._images_of(each) for name, each in generators.items()},
                self.flags,
                self._any_results,
            ),
            StudyStage(
                name="experiment",
                state=lambda: sweep_state(self._sweep()),
                run=lambda: sweep(self._sweep()),
                has_results=self._has_results,
            ),
            StudyStage(
                name="statistics",
                state=lambda: statistics_state(
                    join(self.root, "statistics"),
                    join(self.root, "sweep"),
                    self._patients(),
                    self.settings.statistics,
                ),
                run=self._fit,
                is_cheap=True,
            ),
            *external_stages(self.flags, self.root, self.settings.statistics),
            StudyStage(name="report", state=self._report_state, run=self._report, is_cheap=True),
        ]

    @property
    def _out(self) -> str:
        return absolute(self.flags.out)

    @property
    def _images(self) -> str:
        patches = self.flags.patches
        return absolute(patches) if patches else join(self._out, "patches")

    def _tables(self) -> list[StudyStage]:
        """Stages that make the tables of tiles and patches."""

        def reuse(name: str) -> bool:
            states = {
                "tiles": lambda folder: tiles_state(replace(self._tiles(), out=folder)),
                "patches": lambda folder: patches_state(replace(self._patches(), out=folder)),
            }
            folder = NumberedFolder(study=self._out, name=name, state_of=states[name])
            return reuse_folders(self._out, self.flags.reuse, [folder])

        return [
            StudyStage(
                name="tiles",
                state=lambda: tiles_state(self._tiles()),
                run=lambda: tile_slides(self._tiles()),
                reuse=lambda: reuse("tiles"),
            ),
            StudyStage(
                name="patches",
                state=lambda: patches_state(self._patches()),
                run=lambda: cut_patches(self._patches()),
                reuse=lambda: reuse("patches"),
            ),
        ]

    def _tiles(self) -> TileSlidesFlags:
        return TileSlidesFlags(
            manifest=join(self.inputs, COHORT_FILE),
            out=join(self._out, "tiles"),
            settings=self.settings.tiling,
            seed=self.flags.seed,
            workers=self.flags.workers,
            max_failures=self.flags.max_failures,
            update=self.flags.update,
        )

    def _patches(self) -> CutPatchesFlags:
        folds = join(self.inputs, FOLDS_FILE)
        return CutPatchesFlags(
            tiles=join(self._out, "tiles"),
            out=self._images,
            settings=self.settings.patches,
            seed=self.flags.seed,
            folds=None if self.settings.protocol.fold_count == 1 else folds,
            workers=self.flags.workers,
            update=self.flags.update,
        )

    def _generators(self) -> list[StudyGenerator]:
        protocol, one_network = self.settings.protocol, self.settings.one_network
        return list(planned_generators(protocol, one_network=one_network))

    def _trainings(self) -> dict[str, GanTask]:
        folds = join(self.inputs, FOLDS_FILE)
        return training_tasks(self._images, folds, self.flags, self.settings)

    def _images_of(self, generator: StudyGenerator) -> ImagesOfGenerator:
        def evaluation() -> EvaluateGanFlags:
            return EvaluateGanFlags(
                checkpoint=generator.folder(self._out, "gan"),
                idh=generator.idh if generator.one_network else None,
                images=self._images,
                out=generator.folder(self._out, "evaluation"),
                settings=self.settings.evaluation,
                count=self.settings.evaluation_images,
                features=self.settings.features,
                seed=generator.seed(self.flags.seed, self._out),
                gpus=self.flags.gpus,
            )

        def synthesis() -> SynthesizeFlags:
            folds = join(self.inputs, FOLDS_FILE)
            return SynthesizeFlags(
                checkpoint=generator.folder(self._out, "gan"),
                idh=generator.idh if generator.one_network else None,
                count=images_of_generator(self._images, folds, self.settings),
                out=generator.folder(self._out, "synthetic"),
                seed=generator.seed(self.flags.seed, self._out),
                gpus_per_worker=self.flags.gpus,
            )

        return ImagesOfGenerator(
            evaluation_name=generator.folder_name("evaluation"),
            synthetic_name=generator.folder_name("synthetic"),
            evaluation=evaluation,
            synthesis=synthesis,
        )

    def _sweep(self) -> SweepFlags:
        generators = self._generators()
        return SweepFlags(
            images=self._images,
            synthetic=tuple(each.folder(self._out, "synthetic") for each in generators),
            out=join(self.root, "sweep"),
            folds=join(self.inputs, FOLDS_FILE),
            settings=_experiment(self.settings),
            allow_failed_gan=self.settings.allow_failed_gan,
            amend=self.flags.amend,
            unblind=self.flags.unblind,
            keep_models=self.flags.keep_models,
            seed=self.flags.seed,
            workers=self.flags.workers,
            max_failures=self.flags.max_failures,
            gpus_per_trial=self.flags.gpus,
        )

    def _sweep_before_generators(self) -> None:
        """Train the arms without generated images, if this command reaches the experiment.

        Generators of several workers need GPUs that are free at the same time. Trainings of one GPU
        each would keep these from them.
        """
        if self.flags.gan_workers == 1 and self.flags.until not in ("generators", "synthetic"):
            sweep_before_generators(self._sweep())

    def _has_results(self) -> bool:
        """True if a training of this experiment is finished."""
        return _has_trainings(self.root)

    def _any_results(self) -> bool:
        """True if a training of any experiment of the study is finished; they share generators."""
        return any(map(_has_trainings, experiment_roots(self._out)))

    def _patients(self) -> pd.DataFrame:
        return patients_of(read_manifest(join(self.inputs, COHORT_FILE)))

    def _fit(self) -> None:
        """Compute the statistics of the experiment again."""
        folder, settings = join(self.root, "statistics"), self.settings.statistics
        sweep_folder = join(self.root, "sweep")
        result, _ = fit_sweep(folder, sweep_folder, self._patients(), settings, overwrite=True)
        add_to_experiment(self.root, answer=result["answer"], sentence=result["sentence"])

    def _report(self) -> None:
        slide_report(self._out, self.flags.experiment)
        add_to_experiment(self.root, report_of=self._report_inputs())

    def _report_state(self) -> StageState:
        is_written = exists(join(self.root, "report.html"))
        if is_written and experiment_record(self.root).get("report_of") == self._report_inputs():
            return UP_TO_DATE
        return StageState(status="to do")

    def _report_inputs(self) -> list[Any]:
        """Values that change with all that the report shows."""
        statistics = seal(join(self.root, "statistics"))
        return [statistics, settings_dict(self.settings), *external_seals(self.root)]
