"""MRI from made-up scans to a report, at the size of a stamp."""

import errno
import fcntl
import html
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from idhray.errors import ManifestError, SettingsChangedError, StorageError, TableError
from idhray.gan.stylegan2.config import StyleGan2Settings
from idhray.ledger import fates
from idhray.mri.patient import MriSettings
from idhray.mri.settings import SliceSettings
from idhray.phantom.mri.patients import MriPhantomSettings
from idhray.stages.evaluate_gan import PRESETS as EVALUATION
from idhray.stages.make_phantom import MakePhantomFlags, make_phantom
from idhray.stages.prepare_mri import PrepareMriFlags, prepare_mri
from idhray.stages.readers import real_cases
from idhray.stages.runtime.folder import seal
from idhray.stages.studies.settings import MriStudySettings, StudyFlags
from idhray.stages.study import study
from idhray.stats.settings import StatsSettings
from idhray.storage import read_json
from idhray.table_parts import read_table
from idhray.tables import SLICES
from tests.stages.in_process import in_process as in_process

MRI = MriSettings(slices=SliceSettings(size_px=32, registration_steps_mm=(8.0,), max_slices=3))
GAN = StyleGan2Settings(
    resolution_px=32,
    latent_size=8,
    mapping_layers=2,
    fmap_base=64,
    fmap_max=8,
    total_kimg=0.1,
    batch_size=8,
    checkpoint_kimg=0.05,
    sample_kimg=0.1,
)
STUDY = MriStudySettings(
    allow_few=True,
    mri=MRI,
    pretraining=GAN,
    gan=GAN,
    synthetic=6,
    evaluation=EVALUATION["demo"],
    evaluation_images=24,
    allow_failed_gan=True,
    statistics=StatsSettings(tests="park2021", bootstrap_draws=100, optimism_resamples=2),
    simulate_readers=True,
)


@pytest.fixture(scope="module")
def scans(tmp_path_factory, ray_local):
    """16 made-up patients with tumors and 2 normal brains, without skulls."""
    folder = tmp_path_factory.mktemp("mri") / "made"
    settings = MriPhantomSettings(
        normals=2, skull=False, t1ce_mm=2.5, flair_mm=2.5, flair_slice_mm=6.0
    )
    make_phantom(MakePhantomFlags(out=str(folder), settings=settings, patients=16, seed=3))
    return folder


@pytest.fixture(scope="module")
def slices(scans, tmp_path_factory):
    """Their slices."""
    out = tmp_path_factory.mktemp("slices") / "slices"
    prepare_mri(PrepareMriFlags(manifest=str(scans / "manifest.csv"), out=str(out), settings=MRI))
    return out


def test_every_study_gives_slices_a_picture_and_figures(slices):
    """What a person looks at stands beside what a network sees."""
    table = read_table(str(slices), SLICES).to_pandas()
    quality = pd.read_csv(slices / "quality.csv")

    assert table.groupby("study").size().between(1, 3).all()
    assert table["patient"].nunique() == len(quality) == 16
    assert set(table["split"]) == {"train", "val", "test"}
    assert (table["tumor_fraction"] > 0).all()
    assert len(list((slices / "quality").glob("*.png"))) == 16
    assert (quality["nmi_after"] > quality["nmi_before"]).mean() > 0.8
    assert len({fate.input_digest for fate in fates(str(slices)).values()} - {""}) == 16


def test_an_array_without_locks_makes_the_table_of_one_run(
    scans, slices, tmp_path, monkeypatch, in_process
):
    """`--part` on a file system whose kernel has no flock: a lease for each share."""

    def flock(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    out = tmp_path / "array"

    def prepared(part=""):
        manifest = str(scans / "manifest.csv")
        return prepare_mri(
            PrepareMriFlags(manifest=manifest, out=str(out), settings=MRI, part=part)
        )

    shares = [prepared(f"{k}/3") for k in (1, 2, 3)]
    with pytest.raises(StorageError, match="not finished"):
        seal(str(out))
    last = prepared()

    assert sum(share["done"] for share in shares) == last["done"] == 16
    assert list((out / ".lease").iterdir())
    assert seal(str(out)) == seal(str(slices))
    assert read_table(str(out), SLICES).equals(read_table(str(slices), SLICES))
    assert (out / "quality.csv").read_text() == (slices / "quality.csv").read_text()
    assert {fate.attempts for fate in fates(str(out)).values()} == {1}


def test_registration_undoes_the_known_motion(scans, slices):
    """The phantom's truth says where FLAIR lies; headers are off by up to 4 mm and degrees."""
    truth = pd.concat([pd.read_parquet(path) for path in scans.glob("part-*.parquet")])
    truth = truth.set_index("patient")["motion_mm"]
    quality = pd.read_csv(slices / "quality.csv").set_index("study")
    found = quality["translation_mm"]

    assert (quality["brain_overlap"] > 0.9).all()
    assert found.corr(truth.loc[found.index]) > 0.7


def test_a_broken_scan_costs_itself_only_and_is_tried_again(scans, tmp_path):
    """One LEDGER row says why; mended, only that one is done anew."""
    manifest = pd.read_csv(scans / "manifest.csv").head(8)
    for name in ("t1ce", "flair", "tumor_mask"):
        manifest[name] = [str(scans / file) for file in manifest[name]]
    manifest["split"] = "train"
    good = manifest["flair"].iloc[0]
    broken = tmp_path / "half.nii.gz"
    broken.write_bytes(Path(good).read_bytes()[:2000])
    manifest.loc[0, "flair"] = str(broken)
    path, out = tmp_path / "manifest.csv", tmp_path / "slices"
    manifest.to_csv(path, index=False)
    found = prepare_mri(
        PrepareMriFlags(manifest=str(path), out=str(out), settings=MRI, max_failures=1)
    )
    before = {name: fate.attempts for name, fate in fates(str(out)).items()}

    assert (found["done"], found["failed"]) == (7, 1)
    failed = next(fate for fate in fates(str(out)).values() if fate.status == "failed")
    assert "half.nii.gz" in failed.error or "FLAIR" in failed.error
    broken.write_bytes(Path(good).read_bytes())
    again = prepare_mri(
        PrepareMriFlags(manifest=str(path), out=str(out), settings=MRI, max_failures=0)
    )
    after = {name: fate.attempts for name, fate in fates(str(out)).items()}
    assert again["done"] == 8
    assert sum(after[name] != before[name] for name in after) == 1


def test_readers_see_the_grades_that_were_asked_for(slices, tmp_path):
    """Park's GAN saw grade 3 as well, his readers grade 4 alone."""
    cohort = pd.read_parquet(slices / "_cohort.parquet")
    cohort.loc[cohort["patient"] == cohort["patient"][0], "grade"] = "3"
    folder = tmp_path / "slices"
    shutil.copytree(slices, folder)
    cohort.to_parquet(folder / "_cohort.parquet")

    assert len(real_cases(str(folder))) == 16
    assert [one["patient"] for one in real_cases(str(folder), (3,))] == [cohort["patient"][0]]
    assert len(real_cases(str(folder), (4,))) == 15
    with pytest.raises(TableError, match="known IDH status and grade 2"):
        real_cases(str(folder), (2,))


def test_other_settings_are_refused(scans, slices):
    """Slices of two kinds must not lie in one table."""
    other = MriSettings(slices=SliceSettings(size_px=16))

    with pytest.raises(SettingsChangedError, match="slices"):
        prepare_mri(
            PrepareMriFlags(manifest=str(scans / "manifest.csv"), out=str(slices), settings=other)
        )


def test_one_sequence_alone_is_refused_before_any_work(scans, tmp_path):
    """A pair needs both; which row lacks one is said."""
    manifest = pd.read_csv(scans / "manifest.csv")
    manifest.loc[2, "flair"] = ""
    path = tmp_path / "manifest.csv"
    manifest.to_csv(path, index=False)

    with pytest.raises(ManifestError, match=f"patient {manifest['patient'][2]} the first"):
        prepare_mri(PrepareMriFlags(manifest=str(path), out=str(tmp_path / "slices"), settings=MRI))
    assert not (tmp_path / "slices").exists()


@pytest.fixture(scope="module")
def park_study(scans, tmp_path_factory):
    """A finished study with simulated readers; its folder and what the command returned."""
    out = tmp_path_factory.mktemp("study") / "study"
    found = study(
        StudyFlags(
            manifest=str(scans / "manifest.csv"),
            out=str(out),
            settings=STUDY,
            normals=str(scans / "normals.csv"),
        )
    )
    return out, found


def test_a_study_goes_from_scans_to_report(park_study):
    """Every table of Park is there, and the page says that nobody looked."""
    out, found = park_study
    page = (out / "report.html").read_text()

    assert found["sentence"] in html.unescape(page)
    assert "The readers are programs" in page
    assert "Demonstration on made-up data" in page
    assert "StyleGAN2 of normal brains" in page
    assert "Test for copies and diversity" in page
    assert {"table1.csv", "table2.csv", "table3.csv", "turing.csv"} <= {
        path.name for path in (out / "statistics").iterdir()
    }


def test_the_generator_counts_the_patients_of_both_trainings(park_study):
    """Normal brains taught it, too; no validation or test patient did."""
    out, _ = park_study
    model = read_json(str(out / "gan-mutant" / "model.json"))
    cohort = pd.read_parquet(out / "cohort.parquet")
    train = cohort[(cohort["split"] == "train") & (cohort["idh"] == "mutant")]

    assert {name for name in model["patients"] if "N0" not in name} == set(train["patient"])
    assert sum("N0" in name for name in model["patients"]) == 2


def test_readers_see_no_more_than_the_case(park_study):
    """Names and order tell nothing; the key is apart."""
    out, _ = park_study
    form = pd.read_csv(out / "form" / "form.csv", dtype=str, keep_default_na=False)
    key = pd.read_csv(out / "form" / "key" / "key.csv", dtype=str, keep_default_na=False)

    assert list(form.columns)[:2] == ["case", "judged_real"]
    assert (form.drop(columns="case") == "").all(axis=None)
    assert sorted(form["case"]) == sorted(key["case"])
    assert key["real"].value_counts().to_dict() == {"True": 16, "False": 6}
    assert key["real"].ne(key["real"].shift()).sum() > 4  # shuffled, not in blocks


def test_the_same_command_changes_nothing(park_study, scans):
    """Finished stages are not done again."""
    out, first = park_study
    before = (out / "gan-mutant" / "weights.safetensors").stat().st_mtime_ns
    again = study(
        StudyFlags(
            manifest=str(scans / "manifest.csv"),
            out=str(out),
            settings=STUDY,
            normals=str(scans / "normals.csv"),
        )
    )

    assert json.dumps(again) == json.dumps(first)
    assert (out / "gan-mutant" / "weights.safetensors").stat().st_mtime_ns == before
