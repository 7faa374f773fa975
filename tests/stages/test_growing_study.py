"""A study whose manifest and settings change: only what depends on the change is done again.

Inputs that were worked on are those whose ledger row is another one; trainings are counted in the
folders of generators and in the ledger of the experiment.
"""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from idhray.errors import ConfigError, ManifestError, SettingsChangedError
from idhray.ledger import fates
from idhray.stages.experiment.outcome import read_outcome
from idhray.stages.studies.numbered_folder import NumberedFolder
from idhray.stages.studies.settings import StudyFlags
from idhray.stages.study import study
from idhray.storage import read_json
from idhray.withdrawals import Withdrawal, new_withdrawals, write_withdrawals
from tests.stages.conftest import STUDY

TABLES = ("tiles", "patches", "gan-mutant", "gan-wildtype", "synthetic-mutant", "sweep")
ARMS = 4


class Growing:
    """A copy of a finished study, and its manifest."""

    def __init__(self, folder, phantom, small_study):
        self.out, self.manifest = folder / "study", folder / "manifest.csv"
        shutil.copytree(small_study, self.out)
        self.rows = pd.read_csv(phantom)
        self.rows["slide"] = [os.path.join(phantom.parent, path) for path in self.rows["slide"]]

    def run(self, settings=STUDY, **flags):
        """Result of the command on the present manifest."""
        self.rows.to_csv(self.manifest, index=False)
        defaults = {"manifest": str(self.manifest), "out": str(self.out), "seed": 1}
        return study(StudyFlags(settings=settings, **{**defaults, **flags}))

    def states(self, settings=STUDY, **flags):
        """Status of each stage."""
        return self.run(settings, dry_run=True, **flags)["stages"]

    def works(self, *tables):
        """Ledger rows by table and input, and the time at which each checkpoint was written."""
        rows = {
            f"{table} {name}": fate.seconds
            for table in tables or TABLES
            for name, fate in fates(str(self.out / table)).items()
        }
        checkpoints = self.out.glob("gan-*/model.json")
        return rows | {path.parent.name: path.stat().st_mtime_ns for path in checkpoints}

    def worked_on(self, before):
        """Inputs and trainings of a run."""
        return sorted(name for name, mark in self.works().items() if before.get(name) != mark)

    def splits(self):
        """Split of each patient."""
        cohort = pd.read_parquet(self.out / "cohort.parquet").drop_duplicates("patient")
        return dict(zip(cohort["patient"], cohort["split"], strict=True))

    def sentence(self):
        """The verdict's exploratory note, if any."""
        return read_outcome(str(self.out / "sweep")).rule.exploratory


@pytest.fixture
def growing(tmp_path, phantom, small_study):
    """A copy of the finished study that a test may change."""
    return Growing(tmp_path, phantom, small_study)


UP_TO_DATE = dict.fromkeys(
    ("tiles", "patches", "generators", "synthetic", "experiment", "statistics", "report"),
    "up to date",
)


def test_a_moved_study_with_another_manifest_of_the_same_cohort_has_nothing_to_do(growing):
    """Rows in another order, a column more, the manifest and the study elsewhere."""
    growing.rows = growing.rows.sample(frac=1, random_state=0).assign(scanner="new")
    before = growing.works()

    assert growing.states() == UP_TO_DATE
    growing.run()
    assert growing.worked_on(before) == []


def test_a_corrected_age_costs_seconds(growing):
    """Statistics and report are made again, no image is read and nothing is trained."""
    growing.rows.loc[0, "age"] += 1
    before, page = growing.works(), (growing.out / "report.html").stat().st_mtime_ns

    states = growing.states()
    assert states == {**UP_TO_DATE, "statistics": "out of date", "report": "after statistics"}
    assert (growing.out / "report.html").stat().st_mtime_ns == page
    growing.run()
    assert growing.worked_on(before) == []
    assert growing.states() == UP_TO_DATE
    assert (growing.out / "report.html").stat().st_mtime_ns != page


def test_repeats_counts_and_experiments_join(growing):
    """Only new trainings run: of one more repeat, of one more count, of another classifier."""
    before = growing.works()
    repeats = replace(STUDY, protocol=replace(STUDY.protocol, repeats=3))
    growing.run(repeats)
    new = growing.worked_on(before)
    assert len(new) == ARMS
    assert all("repeat=3" in name for name in new)

    before = growing.works()
    counts = replace(repeats.protocol, counts=(8, 10), primary_count=8)
    growing.run(replace(repeats, protocol=counts))
    new = growing.worked_on(before)
    assert sum(name.startswith("sweep") for name in new) == 3
    assert all("synthetic:10" in name for name in new if name.startswith("sweep"))
    assert not any(name.startswith("gan-") for name in new)

    before = growing.works()
    epochs = replace(STUDY, classifier=replace(STUDY.classifier, epochs=1))
    with pytest.raises(SettingsChangedError, match=r"epochs: was 2, now 1"):
        growing.run(epochs)
    result = growing.run(epochs, experiment="short")
    root = growing.out / "experiments" / "short"
    assert growing.worked_on(before) == []
    assert len(fates(str(root / "sweep"))) == 2 * ARMS
    assert result["report"] == str(root / "report.html")
    assert growing.states(epochs, experiment="short") == UP_TO_DATE


def killed(*_):
    """A signal at a step of the update."""
    raise KeyboardInterrupt


def test_a_patient_who_leaves_takes_what_was_trained_on_him(growing, monkeypatch):
    """His generator is made anew beside the old one, with a reason, and nothing is tiled.

    A kill between the training and its use costs no training.
    """
    cohort = pd.read_parquet(growing.out / "cohort.parquet")
    training = cohort[(cohort["split"] == "train") & (cohort["idh"] == "mutant")]
    gone = training["patient"].iloc[0]
    growing.rows = growing.rows[growing.rows["patient"] != gone]
    before = growing.works()

    states = growing.states()
    assert (states["tiles"], states["patches"]) == ("out of date", "after tiles")
    with pytest.raises(
        SettingsChangedError, match=r"generators: the training patients changed.*--amend REASON"
    ):
        growing.run()
    assert growing.works() == before  # refused before anything started
    assert (growing.out / "gan-mutant" / "model.json").exists()
    with monkeypatch.context() as patch:
        patch.setattr(NumberedFolder, "use", killed)
        with pytest.raises(KeyboardInterrupt):
            growing.run(amend="consent withdrawn", until="generators")
    successor = growing.out / "gan-mutant-2" / "model.json"
    trained = successor.stat().st_mtime_ns
    assert (growing.out / "gan-mutant" / "model.json").exists()
    growing.run(amend="consent withdrawn")
    assert successor.stat().st_mtime_ns == trained
    worked = growing.worked_on(before)
    assert not any(name.startswith("tiles") for name in worked)
    assert {name for name in worked if name.startswith("gan-")} == {"gan-mutant-2"}
    assert not (growing.out / "gan-mutant").exists()
    assert gone not in read_json(str(growing.out / "gan-mutant-2" / "model.json"))["patients"]
    assert len([name for name in worked if name.startswith("sweep")]) == 2 * ARMS
    assert growing.sentence() == "consent withdrawn"
    assert growing.states() == UP_TO_DATE


def test_patients_join_and_slides_and_labels_are_corrected(growing, tmp_path):
    """Only their slides are tiled, and everybody else keeps the split."""
    everybody, split = growing.rows, growing.splits()
    training = [name for name in everybody["patient"].unique() if split[name] == "train"]
    newcomer, repaired, relabeled = training[:3]
    growing.rows = everybody[everybody["patient"] != newcomer]
    growing.run(until="patches")
    assert newcomer not in growing.splits()

    before = growing.works("tiles")
    growing.rows = everybody.copy()
    slide = growing.rows.loc[growing.rows["patient"] == repaired, "slide"].iloc[0]
    scan = Path(shutil.copy(slide, tmp_path))
    scan.write_bytes(scan.read_bytes() + b"another scan")
    growing.rows.loc[growing.rows["patient"] == repaired, "slide"] = str(scan)
    idh = growing.rows.loc[growing.rows["patient"] == relabeled, "idh"].iloc[0]
    other = "wildtype" if idh == "mutant" else "mutant"
    growing.rows.loc[growing.rows["patient"] == relabeled, "idh"] = other
    text = growing.run(dry_run=True)["text"]
    assert f"manifest: idh of 1 patients ({relabeled}: {idh}, now {other})" in text
    assert "1 patients join" in text
    growing.run(until="patches")
    after = growing.works("tiles")
    assert len([name for name in after if before.get(name) != after[name]]) == 2
    assert {n: s for n, s in growing.splits().items() if n != newcomer} == {
        n: s for n, s in split.items() if n != newcomer
    }
    states = growing.states()
    assert (states["tiles"], states["patches"]) == ("up to date", "up to date")
    assert states["generators"] == "out of date"


def test_what_would_change_the_study_itself_is_refused_before_any_work(growing):
    """Each in one line with the value, the cost or the flag."""
    patches = replace(STUDY, patches=replace(STUDY.patches, patch_px=64))
    with pytest.raises(SettingsChangedError, match=r"patches: made .*patch_px: was 128, now 64"):
        growing.run(patches)
    with pytest.raises(ConfigError, match=r"--until x: no such stage"):
        growing.run(until="x")
    withdrawn = new_withdrawals()
    token = withdrawn.token(growing.rows["patient"].iloc[3])
    write_withdrawals(str(growing.out), withdrawn.updated(Withdrawal(patient=token, day="today")))
    with pytest.raises(ManifestError, match="was withdrawn from this study"):
        growing.run()
    growing.rows = growing.rows.iloc[4:16]
    with pytest.raises(ManifestError, match=r"12 of 24 rows .* are gone.*--update"):
        growing.run()

    assert len(pd.read_parquet(growing.out / "cohort.parquet")) == 24


def test_another_study_takes_over_tables_and_generators(growing, tmp_path):
    """By links, so that it keeps them when the first study is deleted; nothing is trained."""
    first, out = growing.out, tmp_path / "second"
    result = growing.run(out=str(out), reuse=str(first), until="synthetic")

    assert result == {"out": str(out), "until": "synthetic"}
    assert read_json(str(out / "_study.json"))["reuse"]["tiles"] == str(first)
    assert read_json(str(first / "_reuse.json")) == {"reused_by": [str(out)]}
    for name in ("gan-mutant/weights.safetensors", "tiles/_done.json"):
        assert os.path.samefile(first / name, out / name)
    shutil.rmtree(first)
    growing.out = out
    states = growing.states()
    assert (states["synthetic"], states["experiment"]) == ("up to date", "to do")
    assert {path.name for path in out.glob("gan-*")} == {"gan-mutant", "gan-wildtype"}


def test_a_plan_writes_nothing(growing, tmp_path):
    """Not even the folder of a new study."""
    out = tmp_path / "new"
    result = growing.run(out=str(out), dry_run=True)

    assert list(result["stages"].values())[:2] == ["to do", "after tiles"]
    assert "tiles: to do" in result["text"]
    assert not Path(out).exists()
