"""Stages of a study that make generators and their images, each in a folder with versions."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from idhray.generator_records import read_gate, write_gate
from idhray.stages.evaluate_gan import EvaluateGanFlags, evaluate_gan, evaluation_state
from idhray.stages.gan_training.task import GanTask
from idhray.stages.runtime.background import Background
from idhray.stages.runtime.session import connect
from idhray.stages.runtime.side_by_side import side_by_side
from idhray.stages.runtime.state import StageState, combined_state
from idhray.stages.runtime.training import trainings_at_once
from idhray.stages.studies.graph import StudyStage
from idhray.stages.studies.numbered_folder import NumberedFolder
from idhray.stages.studies.reuse import reuse_folders
from idhray.stages.studies.settings import StudyFlags
from idhray.stages.synthesize import SynthesizeFlags, synthesize, synthetic_state
from idhray.stages.train_gan import gan_state, train_gans
from idhray.storage import absolute

HasResults = Callable[[], bool]
"""True if trainings of an experiment are finished."""


@dataclass(frozen=True, kw_only=True)
class ImagesOfGenerator:
    """Evaluation of one generator, and its images."""

    evaluation_name: str
    """Path of the first folder of the evaluation in the study."""
    synthetic_name: str
    """Path of the first folder of the images in the study."""
    evaluation: Callable[[], EvaluateGanFlags]
    """Flags; the generator is finished when they are asked for."""
    synthesis: Callable[[], SynthesizeFlags]
    """Flags; the evaluation is finished when they are asked for."""

    def folders(self, study: str) -> tuple[NumberedFolder, NumberedFolder]:
        """Folder of the evaluation, and folder of the images."""
        return (
            NumberedFolder(
                study=study,
                name=self.evaluation_name,
                state_of=lambda folder: evaluation_state(replace(self.evaluation(), out=folder)),
            ),
            NumberedFolder(
                study=study,
                name=self.synthetic_name,
                state_of=lambda folder: synthetic_state(replace(self.synthesis(), out=folder)),
            ),
        )

    def state(self, study: str) -> StageState:
        """State of the evaluation if work on it is left, else of the images."""
        evaluation, synthetic = self.folders(study)
        state = evaluation.target()[1]
        return state if not state.is_done else synthetic.target()[1]

    def run(self, study: str) -> None:
        """Evaluate the generator and draw its images, unless that is done."""
        evaluation, synthetic = self.folders(study)
        if not evaluation.target()[1].is_done:
            folder = evaluation.prepared()
            evaluate_gan(replace(self.evaluation(), out=folder))
            evaluation.use(folder)
        refresh_gate(self.evaluation())
        if not synthetic.target()[1].is_done:
            folder = synthetic.prepared()
            synthesize(replace(self.synthesis(), out=folder))
            synthetic.use(folder)


def refresh_gate(flags: EvaluateGanFlags) -> None:
    """Name the present folders in the gate record of a study that was moved or linked."""
    checkpoint = absolute(flags.checkpoint or "")
    gate = read_gate(checkpoint, flags.idh)
    images, evaluation = absolute(flags.images), absolute(flags.out)
    if gate is not None and (gate.images, gate.evaluation) != (images, evaluation):
        changed = replace(gate, images=images, evaluation=evaluation)
        write_gate(checkpoint, changed, flags.idh)


def gan_stage(
    name: str,
    tasks: Callable[[], Mapping[str, GanTask]],
    names: Mapping[str, str],
    flags: StudyFlags,
    has_results: HasResults,
    *,
    meanwhile: Callable[[], None] | None = None,
) -> StudyStage:
    """Stage that trains generators, as many at a time as there is room for.

    Args:
        name: Name of the stage.
        tasks: Task of each generator by its name in messages.
        names: Path of the first folder of each generator in the study, by the same names.
        flags: Flags of the study.
        has_results: True if results depend on these generators.
        meanwhile: Work that needs no generator, in the room that their trainings leave.
    """
    study = absolute(flags.out)

    def folders() -> dict[str, NumberedFolder]:
        def state_of(task: GanTask, folder: str) -> StageState:
            return gan_state(replace(task, out=folder))

        return {
            key: NumberedFolder(
                study=study, name=names[key], state_of=functools.partial(state_of, task)
            )
            for key, task in tasks().items()
        }

    def run() -> None:
        by_name, places = tasks(), folders()
        targets = {key: place.prepared() for key, place in places.items()}
        ready = {key: replace(task, out=targets[key]) for key, task in by_name.items()}
        connect(flags.address, flags)
        other_work = Background(meanwhile) if meanwhile else None
        train_gans(ready, flags.address)
        for key, place in places.items():
            place.use(targets[key])
        if other_work is not None:
            other_work.result()

    return StudyStage(
        name=name,
        state=lambda: combined_state({k: each.target()[1] for k, each in folders().items()}),
        run=run,
        reuse=lambda: reuse_folders(study, flags.reuse, list(folders().values())),
        has_results=has_results,
    )


def synthetic_stage(
    images: Mapping[str, ImagesOfGenerator], flags: StudyFlags, has_results: HasResults
) -> StudyStage:
    """Stage that evaluates generators and draws their images, side by side.

    Args:
        images: Evaluation and images of each generator by its name in messages.
        flags: Flags of the study.
        has_results: True if results depend on these images.
    """
    study = absolute(flags.out)

    def run() -> None:
        connect(flags.address, flags)
        at_once = trainings_at_once(1, cpus_per_worker=1, gpus_per_worker=flags.gpus)
        works = {key: functools.partial(each.run, study) for key, each in images.items()}
        side_by_side(works, at_once)

    def reuse() -> bool:
        reused = False
        for each in images.values():
            for folder in each.folders(study):  # the images need the record of the evaluation
                reused |= reuse_folders(study, flags.reuse, [folder])
            refresh_gate(each.evaluation())
        return reused

    return StudyStage(
        name="synthetic",
        state=lambda: combined_state({key: each.state(study) for key, each in images.items()}),
        run=run,
        reuse=reuse,
        has_results=has_results,
    )
