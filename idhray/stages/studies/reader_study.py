"""The study of Park et al. 2021: MRI -> slices -> two GANs in turn -> readers -> tables -> report.

cohort.parquet  slices/  slices-normal/  gan-normal/  gan-mutant/
evaluation-mutant/  synthetic-mutant/  form/
readings.csv  statistics/  report.html
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from idhray.cohorts.manifest import (
    Label,
    patients_of,
    read_manifest,
    with_split,
    write_manifest,
)
from idhray.cohorts.manifest_changes import changes_training, manifest_changes
from idhray.cohorts.manifest_notes import STUDY_NOTES, copy_notes
from idhray.cohorts.modality import with_scans
from idhray.config import settings_dict
from idhray.errors import ManifestError
from idhray.leakage import refuse_failed
from idhray.stages.evaluate_gan import EvaluateGanFlags
from idhray.stages.gan_training.task import GanTask
from idhray.stages.prepare_mri import PrepareMriFlags, prepare_mri, slices_state
from idhray.stages.readers import ReadersFlags, form_state, readers
from idhray.stages.runtime.folder import seal
from idhray.stages.runtime.state import UP_TO_DATE, StageState
from idhray.stages.studies.generator_stages import ImagesOfGenerator, gan_stage, synthetic_stage
from idhray.stages.studies.graph import StudyStage
from idhray.stages.studies.numbered_folder import NumberedFolder, current_folder
from idhray.stages.studies.preparation import check_classes, log_detectable_gain
from idhray.stages.studies.progress_page import PROGRESS_FILES
from idhray.stages.studies.reader_report import reader_report
from idhray.stages.studies.record import (
    APPENDIX,
    APPENDIX_PAGE,
    CHECKLISTS,
    REPORT_FILES,
    add_to_experiment,
    experiment_record,
)
from idhray.stages.studies.reuse import reuse_folders
from idhray.stages.studies.settings import MriStudySettings, StudyFlags
from idhray.stages.studies.statistics import fit_readings, readings_state
from idhray.stages.studies.study_cohort import (
    earlier_rows,
    refuse_manifest,
    with_written_split,
)
from idhray.stages.studies.study_run import StudyOutline, run_study
from idhray.stages.synthesize import SynthesizeFlags
from idhray.stats.papers.park.tables import ParkTables
from idhray.storage import absolute, exists, join, publish

CLASS: Label = "mutant"  # the rare class: Park et al. make images of this one only
SLICES = {"cohort": "slices", "normals": "slices-normal"}
OWNS = (
    "cohort.parquet",
    "normals.parquet",
    STUDY_NOTES,
    "slices",
    "slices-normal",
    "gan-*",
    "evaluation-*",
    "synthetic-*",
    "form*",
    "readings.csv",
    "statistics",
    "report.html",
    REPORT_FILES,
    CHECKLISTS,
    APPENDIX,
    APPENDIX_PAGE,
    *PROGRESS_FILES,
)


def reader_study(flags: StudyFlags, settings: MriStudySettings) -> dict[str, Any]:
    """Run a reader study on MRI, each stage in a folder of its own; the same command continues."""
    out = absolute(flags.out)
    scans = with_scans(read_manifest(flags.manifest), flags.manifest)
    earlier = earlier_rows(flags)
    refuse_manifest(earlier, scans, flags)
    cohort = _with_split(with_written_split(scans, earlier), settings, flags.seed)
    check_classes(_reader_patients(cohort, settings), ("train", "test"))
    manifests = {"cohort": cohort, "normals": _normals(flags.normals, cohort)}

    def write_inputs(folder: str) -> None:
        for name, rows in manifests.items():
            if rows is not None:
                write_manifest(join(folder, f"{name}.parquet"), rows)

    def before_start() -> None:
        log_detectable_gain(_reader_patients(cohort, settings))
        write_inputs(out)
        copy_notes(flags.manifest, out)
        add_to_experiment(out, settings=settings_dict(settings))

    def stages(inputs: str) -> Sequence[StudyStage]:
        return ReaderStages(flags=flags, settings=settings, inputs=inputs).stages()

    outline = StudyOutline(
        kind="mri",
        flags=flags,
        settings=settings,
        owns=OWNS,
        changes=() if earlier is None else tuple(manifest_changes(earlier, cohort)),
        trains_anew=earlier is not None and changes_training(earlier, cohort),
        write_inputs=write_inputs,
        before_start=before_start,
        stages=stages,
    )
    unfinished = run_study(outline)
    if unfinished is not None:
        return unfinished
    recorded = experiment_record(out)
    if not flags.readings and not settings.simulate_readers:
        return _next_steps(out, current_folder(out, "form"))
    return {
        "report": join(out, "report.html"),
        **{name: recorded[name] for name in ("answer", "sentence")},
    }


@dataclass(frozen=True, kw_only=True)
class ReaderStages:
    """Stages of a reader study."""

    flags: StudyFlags
    settings: MriStudySettings
    inputs: str
    """Folder of the manifests: that of the study, or a temporary one of a plan."""
    tables: list[ParkTables] = field(default_factory=list)
    """Statistics that this run computed, for the report."""

    def stages(self) -> list[StudyStage]:
        """All stages in their order. Without readings the study ends at the form."""
        names = ["cohort", *(["normals"] if self.flags.normals else [])]
        classes = ["normal", CLASS] if self.flags.normals else [CLASS]
        simulated = self.settings.simulate_readers and not self.flags.readings
        judged = bool(self.flags.readings) or self.settings.simulate_readers
        statistics = [
            StudyStage(
                name="statistics", state=self._statistics_state, run=self._fit, is_cheap=True
            ),
            StudyStage(name="report", state=self._report_state, run=self._report, is_cheap=True),
        ]
        return [
            *(self._slices_stage(name) for name in names),
            *(self._gan_stage(name) for name in classes),
            synthetic_stage({CLASS: self._images()}, self.flags, lambda: False),
            self._form_stage(),
            *([self._simulation()] if simulated else []),
            *(statistics if judged else []),
        ]

    @property
    def _out(self) -> str:
        return absolute(self.flags.out)

    def _slices_stage(self, name: str) -> StudyStage:
        flags = self._slices(name)
        folder = NumberedFolder(
            study=self._out,
            name=SLICES[name],
            state_of=lambda out: slices_state(replace(flags, out=out)),
        )
        return StudyStage(
            name=SLICES[name],
            state=lambda: slices_state(flags),
            run=lambda: prepare_mri(flags),
            reuse=lambda: reuse_folders(self._out, self.flags.reuse, [folder]),
        )

    def _slices(self, name: str) -> PrepareMriFlags:
        return PrepareMriFlags(
            manifest=join(self.inputs, f"{name}.parquet"),
            out=join(self._out, SLICES[name]),
            settings=self.settings.mri,
            workers=self.flags.workers,
            max_failures=self.flags.max_failures,
            seed=self.flags.seed,
            update=self.flags.update,
        )

    def _gan_stage(self, name: str) -> StudyStage:
        folder = f"gan-{name}"
        return gan_stage(
            folder,
            lambda: {name: self._training(name)},
            {name: folder},
            self.flags,
            lambda: False,
        )

    def _training(self, name: str) -> GanTask:
        """Training of the GAN of normal brains, or of the GAN of tumors, which starts from it."""
        of_tumors = name == CLASS
        first = current_folder(self._out, "gan-normal")
        source = first if of_tumors and self.flags.normals else None
        return GanTask(
            images=join(self._out, SLICES["cohort" if of_tumors else "normals"]),
            idh=CLASS if of_tumors else "any",
            out=current_folder(self._out, f"gan-{name}"),
            settings=self.settings.gan if of_tumors else self.settings.pretraining,
            init_from=source,
            freeze_layers=self.settings.freeze_layers if source else 0,
            seed=self.flags.seed,
            allow_few=self.settings.allow_few,
            workers=self.flags.gan_workers,
            gpus_per_worker=self.flags.gpus,
        )

    def _images(self) -> ImagesOfGenerator:
        slices, normal = (join(self._out, SLICES[name]) for name in ("cohort", "normals"))

        def checkpoint() -> str:
            return current_folder(self._out, f"gan-{CLASS}")

        def evaluation() -> EvaluateGanFlags:
            return EvaluateGanFlags(
                checkpoint=checkpoint(),
                images=slices,
                out=current_folder(self._out, f"evaluation-{CLASS}"),
                settings=self.settings.evaluation,
                count=self.settings.evaluation_images,
                features=self.settings.features,
                pretraining_images=(normal,) if self.flags.normals else (),
                psi=self.settings.psi,
                seed=self.flags.seed,
                gpus=self.flags.gpus,
            )

        def synthesis() -> SynthesizeFlags:
            return SynthesizeFlags(
                checkpoint=checkpoint(),
                count=self.settings.synthetic,
                out=self._synthetic(),
                psi=self.settings.psi,
                seed=self.flags.seed,
                gpus_per_worker=self.flags.gpus,
            )

        return ImagesOfGenerator(
            evaluation_name=f"evaluation-{CLASS}",
            synthetic_name=f"synthetic-{CLASS}",
            evaluation=evaluation,
            synthesis=synthesis,
        )

    def _synthetic(self) -> str:
        return current_folder(self._out, f"synthetic-{CLASS}")

    def _form_stage(self) -> StudyStage:
        """Blinded cases. A form that people may be reading changes by --update only."""

        def state_of(folder: str) -> StageState:
            state = form_state(replace(self._form(), out=folder))
            people = not self.settings.simulate_readers
            return state if people or state.seconds else replace(state, seconds=0.0)

        place = NumberedFolder(study=self._out, name="form", state_of=state_of)

        def run() -> None:
            refuse_failed((self._synthetic(),), allowed=self.settings.allow_failed_gan)
            folder = place.prepared()
            readers(replace(self._form(), out=folder))
            place.use(folder)

        return StudyStage(name="form", state=lambda: place.target()[1], run=run)

    def _form(self) -> ReadersFlags:
        return ReadersFlags(
            kind="form",
            out=current_folder(self._out, "form"),
            slices=join(self._out, SLICES["cohort"]),
            synthetic=(self._synthetic(),),
            count=self.settings.synthetic,
            grades=self.settings.reader_grades,
            seed=self.flags.seed,
        )

    def _simulation(self) -> StudyStage:
        """Readings of two programs, made anew for another form."""
        path = join(self._out, "readings.csv")

        def form() -> str:
            return current_folder(self._out, "form")

        def source() -> list[Any]:
            return [seal(form()), self.settings.reader_error_rate]

        def state() -> StageState:
            is_current = experiment_record(self._out).get("readings_of") == source()
            return UP_TO_DATE if exists(path) and is_current else StageState(status="to do")

        def run() -> None:
            simulation = ReadersFlags(
                kind="simulate",
                out=path,
                form=form(),
                error_rate=self.settings.reader_error_rate,
                seed=self.flags.seed,
                overwrite=True,
            )
            readers(simulation)
            add_to_experiment(self._out, readings_of=source())

        return StudyStage(name="readings", state=state, run=run)

    def _readings(self) -> dict[str, Any]:
        """Arguments of the statistics: folder, settings, readings, consensus and patients."""
        flags = self.flags
        default = join(self._out, "readings.csv")
        return {
            "out": join(self._out, "statistics"),
            "settings": self.settings.statistics,
            "readings": absolute(flags.readings) if flags.readings else default,
            "consensus": absolute(flags.consensus) if flags.consensus else None,
            "cohort": patients_of(read_manifest(join(self.inputs, "cohort.parquet"))),
        }

    def _statistics_state(self) -> StageState:
        return readings_state(**self._readings())

    def _fit(self) -> None:
        """Compute the statistics of the readings again."""
        result, tables = fit_readings(**self._readings(), overwrite=True)
        self.tables.append(tables)
        add_to_experiment(self._out, answer=result["answer"], sentence=result["sentence"])

    def _report(self) -> None:
        reader_report(self._out, self.tables[-1] if self.tables else None)
        add_to_experiment(self._out, report_of=self._report_inputs())

    def _report_state(self) -> StageState:
        recorded, page = experiment_record(self._out), join(self._out, "report.html")
        is_current = exists(page) and "answer" in recorded
        if is_current and recorded.get("report_of") == self._report_inputs():
            return UP_TO_DATE
        return StageState(status="to do")

    def _report_inputs(self) -> list[Any]:
        """Values that change with all that the report shows."""
        return [seal(join(self._out, "statistics")), settings_dict(self.settings)]


def _reader_patients(cohort: pd.DataFrame, settings: MriStudySettings) -> pd.DataFrame:
    """The patients whose cases readers see.

    Raises:
        ManifestError: there are none.
    """
    grades = [str(grade) for grade in settings.reader_grades]
    patients = cohort[cohort["grade"].isin(grades)] if grades else cohort
    if patients.empty:
        raise ManifestError(
            f"no patient of grade {' or '.join(grades)}, the grades that readers see; fill in the "
            "column `grade`, or change reader_grades"
        )
    return patients


def _with_split(cohort: pd.DataFrame, settings: MriStudySettings, seed: int) -> pd.DataFrame:
    """The cohort with a split. If it is drawn, patients whom readers do not see train the GAN."""
    if (cohort["split"] == "").any():
        drawn = with_split(_reader_patients(cohort, settings), seed).set_index("patient")["split"]
        splits = cohort["patient"].map(drawn[~drawn.index.duplicated()]).fillna("train")
        cohort = cohort.assign(split=splits)
    return with_split(cohort, seed).drop(columns="study")


def _normals(manifest: str | None, cohort: pd.DataFrame) -> pd.DataFrame | None:
    """The normal brains, all of them for training; None without a manifest of them.

    Raises:
        ManifestError: a patient of the cohort is among them.
    """
    if manifest is None:
        return None
    healthy = with_scans(read_manifest(manifest), manifest).drop(columns="study")
    if both := sorted(set(healthy["patient"]) & set(cohort["patient"])):
        raise ManifestError(f"{manifest}: patient {both[0]} is in the cohort, too; keep one")
    return healthy.assign(split="train")


def _next_steps(out: str, form: str) -> dict[str, Any]:
    """The steps that people take before the study can continue."""
    steps = (
        f"1. Give each reader {form} without its folder `key`, and a copy of form.csv.",
        f"2. idhray readers collect --form {form} --answers READER-1.csv READER-2.csv --out "
        "readings.csv",
        "3. Run the same study command with --readings readings.csv. It lists the cells on which "
        "readers differ for a consensus reading (--consensus).",
    )
    publish(join(out, "_next.txt"), ("\n".join(steps) + "\n").encode())
    return {"out": out, "form": form, "waiting_for": "readings", "text": "\n".join(steps)}
