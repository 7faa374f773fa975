"""A whole study, from slides or MRI to its report; the preset chooses the modality."""

from typing import Any

from idhray.errors import ConfigError
from idhray.stages.checkup.fast import refuse_unready
from idhray.stages.studies.application import apply_models
from idhray.stages.studies.progress_page import progress_while_running
from idhray.stages.studies.reader_study import reader_study
from idhray.stages.studies.settings import PRESETS as PRESETS
from idhray.stages.studies.settings import MriStudySettings, StudyFlags
from idhray.stages.studies.slide_study import slide_study


def study(flags: StudyFlags) -> dict[str, Any]:
    """Run a study of slides (Liu et al. 2020) or of MRI (Park et al. 2021) to its report.

    The preset chooses which one. The same command continues an interrupted study, and follows a
    manifest that has changed: one line for each stage says whether it is up to date, or why not,
    and the stages that are not are run.
    """
    if flags.apply_to:
        return apply_models(flags)
    if flags.models:
        raise ConfigError("--models belongs to --apply-to")
    if not flags.manifest:
        raise ConfigError("give --manifest, or --apply-to with --models")
    if not flags.dry_run:
        refuse_unready(flags.out)
    if flags.dry_run:
        return _run(flags)
    with progress_while_running(flags.out):
        return _run(flags)


def _run(flags: StudyFlags) -> dict[str, Any]:
    """Run the study of the modality that the preset chose."""
    if isinstance(flags.settings, MriStudySettings):
        if flags.patches:
            raise ConfigError("--patches belongs to a study of slides; this preset is of MRI")
        if flags.experiment or flags.amend or flags.external:
            raise ConfigError("--experiment, --amend and --external belong to a study of slides")
        return reader_study(flags, flags.settings)
    if flags.normals or flags.readings or flags.consensus:
        raise ConfigError("--normals, --readings and --consensus belong to a study of MRI")
    return slide_study(flags, flags.settings)
