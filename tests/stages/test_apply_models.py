"""`study --apply-to`: kept models of an experiment on new patients, from slides and from scans."""

from dataclasses import replace

import pandas as pd
import pytest

from idhray.errors import LeakageError, SettingsChangedError
from idhray.phantom.mri.patients import MriPhantomSettings
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.stages.make_phantom import MakePhantomFlags, make_phantom
from idhray.stages.prepare_mri import PrepareMriFlags, prepare_mri
from idhray.stages.studies.settings import PRESETS, StudyFlags
from idhray.stages.study import study
from idhray.stages.sweep import SweepFlags, sweep
from idhray.storage import read_json
from tests.stages.conftest import SLIDES, STUDY
from tests.stages.test_mri_stages import MRI

ROLES = ["train"] * 4 + ["val"] * 2 + ["test"] * 2
"""Of the eight patients of each class whose scans train models."""


def apply_models(manifest, models, out, **flags):
    """The command, without waiting for heatmaps."""
    return study(
        StudyFlags(
            apply_to=str(manifest),
            models=str(models),
            out=str(out),
            settings=PRESETS["controlled"],
            **{"heatmaps": False, **flags},
        )
    )


def manifest_of(folder, *, unknown):
    """A made-up manifest, with new names, in which the first patients have no IDH status."""
    rows = pd.read_csv(folder / "manifest.csv")
    rows["patient"] = "new-" + rows["patient"]
    files = [name for name in ("slide", "t1ce", "flair", "tumor_mask") if name in rows]
    for name in files:
        rows[name] = [str(folder / file) for file in rows[name]]
    rows.loc[: unknown - 1, "idh"] = None
    path = folder / "new.csv"
    rows.drop(columns="split", errors="ignore").to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def new_slides(tmp_path_factory, ray_local):
    """Manifest of four new patients with a slide, two of unknown status."""
    folder = tmp_path_factory.mktemp("new") / "slides"
    make_phantom(MakePhantomFlags(out=str(folder), settings=SLIDES, patients=4, seed=77))
    return manifest_of(folder, unknown=2)


def test_new_slides_become_probabilities_of_every_patient(small_study, new_slides, tmp_path):
    """Also of patients without a status, whom nothing else takes."""
    out = tmp_path / "applied"
    result = apply_models(new_slides, small_study, out, heatmaps=True)
    people = pd.read_csv(out / "statistics" / "patients.csv").set_index("patient")
    cohort = pd.read_csv(new_slides)

    assert set(people.index) == set(cohort["patient"])
    assert people.filter(like="p_mutant").stack().between(0, 1).all()
    assert "research use only" in (out / "report.html").read_text().lower()
    assert result["report"] == str(out / "report.html")
    assert {path.suffix for path in (out / "heatmaps").iterdir()} >= {".png"}
    settings = read_json(str(out / "tiles" / "_settings.json"))
    assert settings["tile_px"] == STUDY.tiling.tile_px  # those of the models, not of the preset

    text = apply_models(new_slides, small_study, out, heatmaps=True, dry_run=True)["stages"]
    assert set(text.values()) == {"up to date"}


def test_patients_whom_the_models_saw_are_refused(small_study, phantom, tmp_path):
    """Their probabilities would flatter."""
    with pytest.raises(LeakageError, match="would predict"):
        apply_models(phantom, small_study, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_more_patient_costs_one_slide(small_study, new_slides, tmp_path):
    """A clinic adds patients to its list."""
    rows, out = pd.read_csv(new_slides), tmp_path / "applied"
    first = tmp_path / "first.csv"
    rows.head(3).to_csv(first, index=False)
    apply_models(first, small_study, out)
    before = {path: path.stat().st_mtime_ns for path in (out / "tiles").glob("part-*.parquet")}
    try:
        apply_models(new_slides, small_study, out)
    except SettingsChangedError as error:
        pytest.fail(f"a longer list was refused: {error}")
    after = {path: path.stat().st_mtime_ns for path in (out / "tiles").glob("part-*.parquet")}

    assert before.items() <= after.items()
    assert len(after) == len(before) + 1
    assert pd.read_csv(out / "statistics" / "patients.csv")["patient"].nunique() == 4


@pytest.fixture(scope="module")
def mri_models(tmp_path_factory, ray_local):
    """Models of the slices of 16 made-up patients."""
    root = tmp_path_factory.mktemp("models")
    settings = MriPhantomSettings(
        normals=1, skull=False, t1ce_mm=2.5, flair_mm=2.5, flair_slice_mm=6.0
    )
    make_phantom(MakePhantomFlags(out=str(root / "made"), settings=settings, patients=16, seed=3))
    manifest, slices = root / "made" / "manifest.csv", str(root / "slices")
    rows = pd.read_csv(manifest)
    rows["split"] = [ROLES[number] for number in rows.groupby("idh").cumcount()]
    rows.to_csv(manifest, index=False)
    prepare_mri(PrepareMriFlags(manifest=str(manifest), out=slices, settings=MRI))
    experiment = ExperimentSettings(
        protocol=replace(STUDY.protocol, counts=(), controls=(), repeats=2),
        classifier=replace(STUDY.classifier, channels="two-channel", epochs=1),
    )
    sweep(SweepFlags(images=slices, out=str(root / "sweep"), settings=experiment))
    return root / "sweep"


def test_new_scans_become_probabilities_of_every_patient(mri_models, tmp_path):
    """Scans are prepared as those of the models were."""
    folder, out = tmp_path / "new", tmp_path / "applied"
    settings = MriPhantomSettings(
        normals=1, skull=False, t1ce_mm=2.5, flair_mm=2.5, flair_slice_mm=6.0
    )
    make_phantom(MakePhantomFlags(out=str(folder), settings=settings, patients=3, seed=78))
    manifest = manifest_of(folder, unknown=3)
    apply_models(manifest, mri_models, out, heatmaps=True)
    people = pd.read_csv(out / "statistics" / "patients.csv")

    assert set(people["patient"]) == set(pd.read_csv(manifest)["patient"])
    assert people.filter(like="p_mutant").stack().between(0, 1).all()
    assert "research use only" in (out / "report.html").read_text().lower()
    assert list((out / "heatmaps").glob("*-patches.png"))
