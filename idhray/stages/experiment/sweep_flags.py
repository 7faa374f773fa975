"""Flags of `idhray sweep`."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from idhray.experiment.settings import KeepModels
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.stages.runtime.options import ItemFlags


@dataclass(frozen=True, kw_only=True)
class SweepFlags(ItemFlags):
    """Flags of `idhray sweep`."""

    images: str
    """Folder of a PATCHES or SLICES table."""
    out: str
    """Folder of the PREDICTIONS table, the protocol and the folds."""
    settings: ExperimentSettings
    """Protocol and classifiers."""
    synthetic: tuple[str, ...] = ()
    """Folders of SYNTHETIC tables. Each serves the folds whose validation and test patients its
    generator never saw."""
    features: tuple[str, ...] = ()
    """Folders of FEATURES tables, from `encode`, of --images and of the tables in --synthetic.
    Default: the images are encoded anew by each run."""
    tuned: Annotated[str | None, tyro.conf.arg(name="settings")] = None
    """File best.json of `tune`: settings of one classifier for each fold, in place of those here.
    They were tuned on the arm `real`, and serve every arm."""
    folds: str | None = None
    """File of folds, from `split-cohort`. Default: those in the output folder; else newly drawn, by
    patient within each label."""
    allow_failed_gan: bool = False
    """Also use images of a generator that failed `evaluate-gan`. The verdict says so."""
    amend: str = ""
    """Reason to change the protocol or the images after results exist. Trainings of other images
    are run again, and the comparison is then exploratory."""
    unblind: bool = False
    """Show areas of the arms before all trainings are done, on the progress page of a study. The
    protocol records the day, and the verdict says so."""
    dry_run: bool = False
    """Print trainings, generators, hours and bytes by rates measured on this machine, and stop."""
    keep_models: KeepModels = "real,primary"
    """Trainings whose model is kept in OUT/models, so that it can be applied to other patients:
    those of the arm `real` and of the primary arm, all, or none. Finished trainings keep none
    later. --dry-run prints the size."""
    seed: int = 0
    """Seed of the experiment."""
    workers: int | None = None
    """Trainings at the same time. Default: as many as the cluster has room for."""
    max_failures: int = 0
    """Trainings that may fail, after their retries, before the command exits with an error. All
    others are run in either case; the same command tries the failed ones again."""
    gpus_per_trial: float | None = None
    """GPUs of each training; may be a fraction. Default: one if the cluster has GPUs, else none."""
    cpus_per_trial: int = 1
    """CPUs of each training."""
    state_minutes: float = 10.0
    """Minutes between two saves of the state that a killed training continues from. A state of
    ResNet50 has 377 MB. 0: save it after each epoch."""
