"""One Ray and one small study for all stage tests: starting either takes a while."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import ray
from filelock import FileLock

from idhray.classify.settings import ClassifierSettings
from idhray.experiment.settings import ProtocolSettings
from idhray.gan.pggan.config import PgganSettings
from idhray.phantom.patients import PhantomSettings
from idhray.slides.patches import PatchSettings
from idhray.slides.tiling_settings import TilingSettings
from idhray.stages.evaluate_gan import PRESETS as EVALUATION
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.stages.make_phantom import MakePhantomFlags, make_phantom
from idhray.stages.runtime.session import connect
from idhray.stages.studies.settings import StudyFlags, StudySettings
from idhray.stages.study import study
from tests.stages.studies.study_of_tables import study_of_tables

SLIDES = PhantomSettings(width_px=2048, height_px=2048)
TILING = TilingSettings(tile_px=512, min_object_px=50)
PATCHES = PatchSettings(
    patch_px=128, tile_px=512, train_per_class=32, reserve_per_class=8, eval_per_patient=4
)
GAN = PgganSettings(
    resolution_px=16,
    latent_size=16,
    fmap_base=64,
    fmap_max=8,
    stabilise_kimg=0.1,
    fade_kimg=0.1,
    total_kimg=0.8,
    batch_sizes=(8, 8, 8),
    checkpoint_kimg=0.2,
    sample_kimg=0.4,
)
STUDY = StudySettings(
    allow_few=True,
    tiling=TILING,
    patches=PATCHES,
    gan=GAN,
    classifier=ClassifierSettings(
        backbone="resnet50",
        width=0.125,
        weights="random",
        image_px=32,
        clahe_tiles=2,
        batch_size=16,
        epochs=2,
        learning_rate=1e-3,
    ),
    protocol=ProtocolSettings(
        fold_count=1,
        repeats=2,
        counts=(8,),
        controls=("duplicate", "more-real"),
        online_arms=False,
        generators="one",
    ),
    evaluation=EVALUATION["demo"],
    evaluation_images=24,
    allow_failed_gan=True,
)
EXPERIMENT = ExperimentSettings(protocol=STUDY.protocol, classifier=STUDY.classifier)


@pytest.fixture(scope="session")
def ray_local():
    """Ray on this machine, started once."""
    connect(None)
    yield
    ray.shutdown()


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that the first process to ask makes, and that all processes read."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # of all workers of this run
    folder, finished = root / name, root / f"{name}.finished"
    with FileLock(root / f"{name}.lock"):
        if not finished.exists():
            make(folder)
            finished.touch()
    return folder


@pytest.fixture(scope="session")
def phantom(tmp_path_factory, ray_local) -> Path:
    """A made-up cohort of 24 patients; its manifest. Tests change a copy only."""

    def make(folder: Path) -> None:
        make_phantom(MakePhantomFlags(out=str(folder), settings=SLIDES, patients=24, seed=5))

    return made_once(tmp_path_factory, "phantom", make) / "manifest.csv"


@pytest.fixture(scope="session")
def small_study(tmp_path_factory, phantom) -> Path:
    """A whole study of that cohort, from slides to report. Tests change a copy only."""

    def make(folder: Path) -> None:
        study(StudyFlags(manifest=str(phantom), out=str(folder), settings=STUDY, seed=1))

    return made_once(tmp_path_factory, "study", make)


@pytest.fixture(scope="session")
def table_study(tmp_path_factory) -> Path:
    """A finished study of 60 patients made of tables, without Ray. Tests change a copy only."""
    return made_once(tmp_path_factory, "table-study", study_of_tables)
