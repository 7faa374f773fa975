"""--dry-run of stages that end it at their folder: all checks are made, and nothing is written."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from idhray.errors import ConfigError, SettingsChangedError, StorageError
from idhray.phantom.patients import PRESETS as PHANTOMS
from idhray.stages.encode import EncodeFlags, EncodeSettings, encode
from idhray.stages.export_images import ExportImagesFlags, export_images
from idhray.stages.fit_stats import FitStatsFlags, fit_stats
from idhray.stages.import_images import ImportImagesFlags, import_images
from idhray.stages.import_synthetic import ImportSyntheticFlags, import_synthetic
from idhray.stages.make_phantom import MakePhantomFlags, make_phantom
from idhray.stages.runtime.options import RunFlags
from idhray.stages.split_cohort import SplitCohortFlags, split_cohort
from idhray.stages.train_classifier import TrainClassifierFlags, train_classifier
from idhray.stages.tune import TuneFlags, tune
from idhray.stats.settings import PRESETS as STATISTICS
from tests.stages.in_process import without_ray
from tests.stages.made_up_experiment import PATIENTS, SETTINGS, patches

STAGES = {
    "make-phantom": make_phantom,
    "export-images": export_images,
    "import-images": import_images,
    "import-synthetic": import_synthetic,
    "encode": encode,
    "train-classifier": train_classifier,
    "tune": tune,
    "fit-stats": fit_stats,
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """A table of patches, pictures of other tools, and predictions of another program."""
    root = tmp_path_factory.mktemp("inputs")
    patches(root / "patches", split="train")
    for name in PATIENTS[:8]:
        (root / "pictures").mkdir(exist_ok=True)
        Image.new("RGB", (64, 64), "pink").save(root / "pictures" / f"{name}_1.png")
    idh = ["mutant", "wildtype"] * 4
    rows = pd.DataFrame({"patient": PATIENTS[:8], "idh": idh, "split": ["train"] * 8})
    rows.to_csv(root / "manifest.csv", index=False)
    (root / "trained_on.txt").write_text("\n".join(PATIENTS[:8]))
    pd.DataFrame(
        {
            "patient": f"P{p}",
            "label": p % 2,
            "arm": arm,
            "repeat": r,
            "p_mutant": 0.1 * p + 0.01 * r,
        }
        for arm in ("real", "synthetic:8")
        for r in (1, 2, 3)
        for p in range(8)
    ).to_csv(root / "predictions.csv", index=False)
    return root


def flags_of(stage: str, inputs: Path, out: Path):
    images, folder = str(inputs / "patches"), {"out": str(out), "dry_run": True}
    pictures = {"source": str(inputs / "pictures"), "format": "folder", **folder}
    made = {
        "make-phantom": lambda: MakePhantomFlags(settings=PHANTOMS["demo"], **folder),
        "export-images": lambda: ExportImagesFlags(images=images, format="webdataset", **folder),
        "import-images": lambda: ImportImagesFlags(
            manifest=str(inputs / "manifest.csv"), **pictures
        ),
        "import-synthetic": lambda: ImportSyntheticFlags(
            idh="mutant",
            generator="a program",
            declared_by="a person",
            trained_on=str(inputs / "trained_on.txt"),
            **pictures,
        ),
        "encode": lambda: EncodeFlags(
            images=images,
            encoder="efficientnet_lite0",
            settings=EncodeSettings(image_px=32),
            **folder,
        ),
        "train-classifier": lambda: TrainClassifierFlags(
            images=images, settings=SETTINGS.classifier, **folder
        ),
        "tune": lambda: TuneFlags(images=images, settings=SETTINGS, **folder),
        "fit-stats": lambda: FitStatsFlags(
            predictions=(str(inputs / "predictions.csv"),), settings=STATISTICS["liu2020"], **folder
        ),
    }
    return made[stage]()


def tree(folder: Path) -> dict[str, int]:
    """Files with their times; fingerprints of a table's images may be kept beside them."""
    return {
        str(path): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and "_fingerprints" not in path.parts
    }


@pytest.mark.parametrize("stage", STAGES)
def test_a_dry_run_names_inputs_and_state_and_writes_nothing(stage, inputs, tmp_path):
    """Ray is not started either: this test has none."""
    flags, before = flags_of(stage, inputs, tmp_path / "out"), tree(inputs)

    result = STAGES[stage](flags)

    assert (result["dry_run"], result["state"]) == (True, "to do")
    assert f"to {tmp_path / 'out'}" in result["text"]
    if stage != "make-phantom":
        assert f" {inputs}/" in result["text"]
    assert not (tmp_path / "out").exists()
    assert tree(inputs) == before


def test_a_dry_run_tells_a_finished_folder_from_one_of_other_settings(inputs, tmp_path):
    """What the command would refuse is refused, and --overwrite starts again."""
    flags = flags_of("export-images", inputs, tmp_path / "out")
    with without_ray():
        export_images(dataclasses.replace(flags, dry_run=False))
    before, other = tree(tmp_path), dataclasses.replace(flags, format="folder")

    states = [export_images(each)["state"] for each in (flags, other)]
    states.append(export_images(dataclasses.replace(other, overwrite=True))["state"])

    assert states == ["up to date", "refused", "to do"]
    assert tree(tmp_path) == before
    with pytest.raises(SettingsChangedError):
        export_images(dataclasses.replace(other, dry_run=False))


def test_a_dry_run_refuses_what_the_command_refuses(inputs, tmp_path):
    flags = flags_of("train-classifier", inputs, tmp_path / "out")
    with pytest.raises(StorageError):
        train_classifier(dataclasses.replace(flags, images=str(tmp_path / "none")))
    with pytest.raises(ConfigError):
        train_classifier(dataclasses.replace(flags, n_synthetic=3))


def test_a_split_is_drawn_and_not_written(inputs, tmp_path):
    """The same numbers as the command then writes."""
    out = tmp_path / "split.csv"
    flags = SplitCohortFlags(manifest=str(inputs / "manifest.csv"), out=str(out), dry_run=True)

    told = split_cohort(flags)

    assert told.pop("dry_run") is True
    assert not out.exists()
    assert split_cohort(dataclasses.replace(flags, dry_run=False)) == told


def test_every_command_that_runs_on_ray_has_a_dry_run():
    assert "dry_run" in {field.name for field in dataclasses.fields(RunFlags)}
