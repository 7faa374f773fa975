"""A withdrawn patient leaves every file of a study; what descends from the patient is named."""

import json
import shutil
import socket
import sys
from pathlib import Path

import pytest

from idhray import ledger_index, storage, table_parts
from idhray.classify.checkpoint import load_card
from idhray.classify.trial_models import load_trial_card
from idhray.cohorts.folds import folds_hash, read_folds
from idhray.cohorts.manifest import manifest_hash, patients_of, read_manifest
from idhray.errors import ConfigError, LeakageError, ManifestError
from idhray.experiment.protocol import protocol_from
from idhray.generator_records import read_generator
from idhray.leakage import refuse_leaks_of_roles
from idhray.ledger import fates
from idhray.slide_cache.cache import Cache
from idhray.stages import forget as command
from idhray.stages.forget import ForgetFlags, forget
from idhray.stages.predict import refuse_trained_on
from idhray.stages.runtime.folder import seal
from idhray.storage import publish, publish_json, read_json
from idhray.table_parts import part_path, parts, read_table
from idhray.tables import PREDICTIONS
from idhray.withdrawals import Withdrawals
from tests.stages.forgetting import made_up_study as made
from tests.stages.forgetting.made_up_study import (
    EXTERNAL_PATIENTS,
    PATIENTS,
    SECRET,
    SLIDES,
    made_up_reader_study,
    made_up_study,
    tree,
)
from tests.stages.forgetting.traces import pictures, traces

OTHERS = tuple(name for name in PATIENTS if name != SECRET)
KEY = "ab" * 32
GENERATOR = "generators/fold-1/gan-mutant"
"""The patient, of the third place in his class, trains in fold 1 and validates in fold 2."""


@pytest.fixture(autouse=True)
def same_key(monkeypatch):
    """One key, so that two runs can be compared byte by byte."""
    monkeypatch.setattr(command, "new_withdrawals", lambda: Withdrawals(key=KEY))


@pytest.fixture(scope="module")
def finished_study(tmp_path_factory):
    """A finished study; tests copy it."""
    return made_up_study(tmp_path_factory.mktemp("made") / "study")


@pytest.fixture
def study(finished_study, tmp_path):
    """A copy of the finished study."""
    return shutil.copytree(finished_study, tmp_path / "study")


def withdraw(study, **flags):
    return forget(ForgetFlags(study=str(study), patient=(SECRET,), **flags))


@pytest.mark.parametrize("models", [False, True])
def test_no_byte_of_the_patient_is_left(study, models, monkeypatch):
    """Hospitals must be able to show it: name, slide, path, part names and images.

    The ledgers of large tables have an index, too.
    """
    monkeypatch.setattr(ledger_index, "WORTH_FILES", 0)
    indexes = [f"{study}/{table}/_ledger/{ledger_index.INDEX}" for table in ("tiles", "patches")]
    for table in ("tiles", "patches"):
        fates(f"{study}/{table}", update_index=True)
    part = part_path("", SLIDES[SECRET])[1:].removesuffix(".parquet")
    secrets = [
        *pictures(study, SECRET),
        *(each.encode() for each in (SECRET, part, "/archive/" + SECRET)),
    ]
    pairs = {"pairs": [{"patients": [SECRET, "M1"]}]}
    publish_json(f"{study}/patches/_fingerprints/near_duplicates.json", pairs)
    publish(f"{study}/patches/_fingerprints/near_duplicates.png", secrets[0])
    before = traces(study, secrets)
    assert len(before) > 20
    assert {*indexes} <= {*before}
    result = withdraw(study, models=models)

    assert result["exit_code"] == 0
    assert result["finished"]
    assert traces(study, secrets) == []
    assert {*fates(f"{study}/tiles")} == {SLIDES[name] for name in OTHERS}


def test_cases_and_readings_of_the_patient_leave_a_reader_study(tmp_path):
    """Readers saw the scans; form, key and readings name them. The other readings stay valid."""
    study = made_up_reader_study(tmp_path / "study")
    case = (tmp_path / "study/form/cases/case-003.png").read_bytes()
    secrets = [case, *pictures(study, SECRET), SECRET.encode()]
    before = seal(f"{study}/form")
    withdraw(study)

    assert traces(study, secrets) == []
    assert seal(f"{study}/form") == before
    assert read_json(f"{study}/form/_settings.json")["slices"] == seal(f"{study}/slices")
    assert "case-003" not in (tmp_path / "study/form/form.html").read_text()
    lines = (tmp_path / "study/readings.csv").read_text().splitlines()
    assert lines == ["reader,case,patient,real", "a,case-001,M1,True", "a,case-002,,False"]
    assert (tmp_path / "study/slices/quality.csv").read_text() == "study,ml\nM1,1.5\n"
    assert {*fates(f"{study}/slices")} == {"M1"}


def test_the_rest_equals_a_study_without_the_patient(study, tmp_path):
    """Tables, ledgers, cohort and folds are those of a run that never had the patient."""
    withdraw(study)
    fresh = tree(made_up_study(tmp_path / "fresh", OTHERS))
    after = tree(study)
    compared = [
        name
        for name in {**fresh, **after}
        if name.startswith(("tiles/", "patches/", "cohort", "folds", "_settings"))
        or (name.startswith("sweep/") and not name.endswith(("protocol.json", "/model.json")))
    ]
    without_hosts = {name for name in compared if "_ledger" not in name}

    without_hosts.remove("sweep/_done.json")  # it covers the protocol, which notes the withdrawal
    assert [name for name in without_hosts if after.get(name) != fresh.get(name)] == []
    for table in ("tiles", "patches", "sweep"):
        assert fates(f"{study}/{table}") == fates(str(tmp_path / "fresh" / table))


def test_downstream_stages_accept_the_folders_as_finished(study):
    """A withdrawal of one patient must not cost the work on all others."""
    before = {name: seal(f"{study}/{name}") for name in ("tiles", GENERATOR, "sweep")}
    withdraw(study)
    after = {name: seal(f"{study}/{name}") for name in before}

    assert after[GENERATOR] == before[GENERATOR]  # the same weights
    assert after["tiles"] != before["tiles"]
    synthetic = GENERATOR.replace("gan-", "synthetic-")
    assert read_generator(f"{study}/{synthetic}").generator == after[GENERATOR]
    cohort = patients_of(read_manifest(f"{study}/cohort.parquet"))
    assert read_json(f"{study}/_settings.json")["manifest_hash"] == manifest_hash(cohort)
    protocol = protocol_from(read_json(f"{study}/sweep/protocol.json"))
    folds = folds_hash(read_folds(f"{study}/sweep/folds.parquet"))
    assert protocol.decisive["folds_digest"] == folds
    assert protocol.amendments == ()
    assert len(protocol.withdrawals) == 1


def test_what_descends_from_the_patient_is_listed_with_the_reason(study):
    """Whoever withdraws is told whose weights still carry the images."""
    text = withdraw(study, dry_run=True)["text"]

    assert f"{GENERATOR}: generator: trained on the patient's images: stays" in text
    assert "generators/fold-2/gan-mutant" not in text.split("make again")[0].split("generator:")[1]
    assert "fold-1/synthetic-mutant: synthetic images: its generator saw the patient" in text
    assert "classifier: classifier: trained on the patient's images" in text
    assert "sweep: predictions, 6 trainings: " in text
    assert "folds 1 (train), 2 (val), 4 (train)" in text


def test_sheets_of_real_images_leave_generators_that_saw_the_patient(study):
    """They may show the patient; generators of other folds and classes keep theirs."""
    before = {str(path) for path in Path(study).rglob("samples/real.png")}
    trained = {path for path in before if SECRET in read_json(model_beside(path))["patients"]}
    withdraw(study)
    after = {str(path) for path in Path(study).rglob("samples/real.png")}

    assert trained
    assert before - after == trained
    assert after


def model_beside(sheet):
    return str(Path(sheet).parents[1] / "model.json")


def test_a_dry_run_changes_nothing(study, tmp_path):
    """The list of what would be done is read before anything is lost."""
    before = tree(study)
    result = withdraw(study, dry_run=True, certificate=str(tmp_path / "certificate.json"))

    assert tree(study) == before
    assert not (tmp_path / "certificate.json").exists()
    assert (result["exit_code"], result["finished"]) == (0, False)


def test_with_models_everything_that_descends_from_the_patient_is_gone(study):
    """The other generators, and the trainings of the fold that tests the patient, stay."""
    withdraw(study, models=True)
    gone = ("gan-mutant", "evaluation-mutant", "synthetic-mutant")

    assert not any(Path(study, "generators/fold-1", name).exists() for name in gone)
    assert Path(study, "generators/fold-2/gan-mutant").exists()
    assert not Path(study, "classifier").exists()
    assert {name.split()[0] for name in fates(f"{study}/sweep")} == {"fold=3"}
    assert len(parts(f"{study}/sweep/trials")) == 2
    assert not Path(study, "sweep/_done.json").exists()
    kept = {path.name.split("-repeat")[0] for path in Path(study, "sweep/models").iterdir()}
    assert kept == {"fold-3"}
    assert not Path(study, "external/hospital/predictions").exists()


def test_a_kept_model_names_a_hash_and_its_predictions_are_listed(study):
    """Its weights carry the patient on, to each cohort that they are applied to."""
    text = withdraw(study)["text"]
    card = load_trial_card(f"{study}/sweep/models/fold-1-repeat-1-arm-real")

    assert SECRET not in card.origin.train_patients
    assert Withdrawals(key=KEY).token(SECRET) in card.origin.train_patients
    assert "external/hospital/predictions: predictions: predicted by a classifier that saw" in text


def test_a_patient_of_an_external_cohort_leaves_it(study):
    """No training saw the patient, so all models stay."""
    patient = EXTERNAL_PATIENTS[0]
    forget(ForgetFlags(study=str(study), patient=(patient,)))
    left = [path for path in Path(study).rglob("*") if path.is_file() and path.name != ".lock"]

    assert not any(patient.encode() in path.read_bytes() for path in left)
    assert not any(patient in path.name for path in left)
    rows = read_table(f"{study}/external/hospital/predictions", PREDICTIONS).to_pandas()
    assert set(rows["patient"]) == {EXTERNAL_PATIENTS[1]}
    assert len(list(Path(study, "sweep/models").iterdir())) == 8


def test_models_may_follow_later(study):
    """The decision about weights takes longer than the one about images."""
    direct = shutil.copytree(study, f"{study}-direct")
    withdraw(study)
    assert Path(study, GENERATOR).exists()
    withdraw(study, models=True)
    withdraw(direct, models=True)

    assert {*tree(study)} == {*tree(direct)}
    assert not Path(study, GENERATOR).exists()


def test_the_guard_recognizes_a_patient_who_comes_back(study):
    """The keyed hash exists for this: the generator has seen the test patient."""
    withdraw(study)
    folder = f"{study}/{GENERATOR.replace('gan-', 'synthetic-')}"
    roles = {"M1": "val", "W1": "train"}
    refuse_leaks_of_roles({"W1": "test"}, [folder])

    with pytest.raises(LeakageError, match=f"{SECRET}: test"):
        refuse_leaks_of_roles({**roles, SECRET: "test"}, [folder])
    (Path(study) / "_withdrawn.json").unlink()
    with pytest.raises(LeakageError, match="the key of their hashes"):
        refuse_leaks_of_roles({SECRET: "test"}, [folder])


def test_a_classifier_card_keeps_a_hash(study):
    """`predict` refuses to test a patient whom the classifier saw."""
    withdraw(study)
    card = load_card(f"{study}/classifier")
    assert SECRET not in card.train_patients
    assert Withdrawals(key=KEY).token(SECRET) in card.train_patients

    with pytest.raises(LeakageError, match=f"classifier's training used .* 1 in all: {SECRET}"):
        refuse_trained_on([SECRET], "test", card, f"{study}/classifier")


def test_the_certificate_lies_outside_and_names_nobody(study, tmp_path):
    """It is filed with the consent form, by people who must not learn more."""
    path = tmp_path / "certificate.json"
    withdraw(study, certificate=str(path))
    values = json.loads(path.read_text())

    assert values["patient"] == Withdrawals(key=KEY).token(SECRET)
    assert SECRET not in path.read_text()
    assert values["finished"]
    assert values["removed"]["tiles"] == {"rows": 4, "files": 3, "records": 0}
    assert values["removed"]["statistics"]["whole"]
    assert {each["folder"] for each in values["remains"]} >= {GENERATOR, "sweep", "classifier"}
    with pytest.raises(ConfigError, match="lies in the study"):
        withdraw(study, certificate=f"{study}/certificate.json")


def test_a_patient_of_no_table_is_refused(study):
    """A typing slip must not look like a finished withdrawal."""
    before = tree(study)
    with pytest.raises(ManifestError, match="no patient Kx7QpZ3mWv9"):
        forget(ForgetFlags(study=str(study), patient=("Kx7QpZ3mWv9",)))

    assert tree(study) == before


def test_a_patient_whose_name_begins_like_another_one_leaves_alone(tmp_path, monkeypatch):
    """P-001 is no part of P-0010, nor of P-001-B."""
    names = ("P-0010", "P-001-B", "P-001", "P-002", "W1", "W2", "W3", "W4")
    monkeypatch.setattr(made, "PATIENTS", names)
    monkeypatch.setattr(made, "SLIDES", {name: f"{name}-A" for name in names})
    study = made.made_up_study(tmp_path / "study", names)
    forget(ForgetFlags(study=study, patient=("P-001",)))

    left = patients_of(read_manifest(f"{study}/cohort.parquet"))["patient"]
    assert set(left) == {*names} - {"P-001"}
    record = read_generator(f"{study}/generators/fold-2/synthetic-mutant")
    assert set(record.patients) == {"P-0010", "P-002"}
    assert len(parts(f"{study}/tiles")) == 7


class Killed(BaseException):
    """The end of the process."""


def killed_after(monkeypatch, step):
    """Let the command die after its file operation number `step`; the list of operations."""
    done = []

    def counted(operation):
        def run(path, *values):
            if len(done) == step and operation is storage.delete_folder and Path(path).exists():
                for file in sorted(Path(path).rglob("*"))[:2]:
                    file.unlink() if file.is_file() else None  # killed halfway
            elif len(done) < step:
                operation(path, *values)
            done.append(operation.__name__)
            if len(done) > step:
                raise Killed

        return run

    for operation in (storage.publish, storage.remove, storage.delete_folder):
        wrapped = counted(operation)
        for name, module in list(sys.modules.items()):
            if name.startswith("idhray") and vars(module).get(operation.__name__) is operation:
                monkeypatch.setattr(module, operation.__name__, wrapped)
    publishing = storage.publishing

    def counted_publishing(path):
        if len(done) >= step:
            raise Killed
        done.append("publishing")
        return publishing(path)

    monkeypatch.setattr(table_parts, "publishing", counted_publishing)
    return done


@pytest.mark.parametrize(
    ("models", "steps"),
    [
        pytest.param(False, range(0, 1000, 15), id="some steps"),
        pytest.param(True, range(7, 1000, 20), id="some steps, with models"),
        pytest.param(False, range(1000), id="all steps", marks=pytest.mark.slow),
        pytest.param(True, range(1000), id="all steps, with models", marks=pytest.mark.slow),
    ],
)
def test_a_kill_at_any_step_is_mended_by_the_same_command(finished_study, tmp_path, models, steps):
    """Between two writes the study holds the old or the new file, and the command finishes."""
    whole = shutil.copytree(finished_study, tmp_path / "study")
    withdraw(whole, models=models)
    expected = tree(whole)
    for step in steps:
        shutil.rmtree(tmp_path / "study")
        study = shutil.copytree(finished_study, tmp_path / "study")
        with pytest.MonkeyPatch.context() as monkeypatch:
            killed_after(monkeypatch, step)
            try:
                withdraw(study, models=models)
                break
            except Killed:
                pass
        assert withdraw(study, models=models)["exit_code"] == 0
        after = tree(study)
        assert [n for n in {**after, **expected} if after.get(n) != expected.get(n)] == [], step

    assert step > 40


def test_another_patient_waits_for_an_unfinished_withdrawal(study):
    """Two half-done withdrawals could not be told apart."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        killed_after(monkeypatch, 5)
        with pytest.raises(Killed):
            withdraw(study)
    with pytest.raises(storage.StorageError, match="of another patient is not finished"):
        forget(ForgetFlags(study=str(study), patient=("M1",)))


def test_several_patients_leave_one_after_the_other(study, tmp_path):
    """Each has a hash and a certificate entry of its own."""
    names = tmp_path / "names.txt"
    names.write_text("M1\n\nW2\n")
    path = tmp_path / "certificate.json"
    result = forget(ForgetFlags(study=str(study), patients=str(names), certificate=str(path)))

    assert result["patients"] == 2
    assert len(read_json(str(path))["withdrawals"]) == 2
    left = set(read_manifest(f"{study}/cohort.parquet")["patient"])
    assert left == {*PATIENTS} - {"M1", "W2"}


def test_copies_on_this_node_are_removed_and_other_nodes_are_named(study, tmp_path, monkeypatch):
    """The study cannot see another node's disk; the command must be run there."""
    archive = tmp_path / "archive"
    slides = {name: archive / name / f"{SLIDES[name]}.svs" for name in PATIENTS}
    for path in slides.values():
        path.parent.mkdir(parents=True)
        path.write_bytes(b"slide" * 100)
    cache = Cache(str(tmp_path / "cache"), 10**6)
    for path in slides.values():
        with cache.file(str(path)):
            pass
    publish_json(f"{study}/tiles/_cache.json", {"folder": cache.folder})
    here = socket.gethostname()
    with monkeypatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: "another-node")
        result = withdraw(study)
    assert result["exit_code"] == 1
    assert f"not reached: caches: {here}:{cache.folder}" in result["text"]
    assert len([*Path(cache.folder).glob("*-*/*.svs")]) == 8
    assert withdraw(study)["exit_code"] == 0

    names = {path.name for path in Path(cache.folder).glob("*-*/*.svs")}
    assert names == {f"{SLIDES[name]}.svs" for name in OTHERS}


def test_studies_that_share_outputs_are_named_until_they_are_done(study, tmp_path):
    """A generator that another study borrowed still stands there."""
    other = shutil.copytree(study, tmp_path / "other")
    publish_json(f"{study}/_study.json", {"reuse": {"tiles": str(other)}})
    publish_json(f"{other}/_reuse.json", {"reused_by": [str(study)]})
    publish_json(f"{study}/_reuse.json", {"reused_by": ["/another/machine/study"]})
    result = withdraw(study)
    assert result["exit_code"] == 1
    assert f"not reached: studies: {other}" in result["text"]
    assert "not reached: studies: /another/machine/study" in result["text"]
    assert withdraw(other)["exit_code"] == 0
    (study / "_reuse.json").unlink()

    assert withdraw(study)["exit_code"] == 0


def test_a_table_outside_the_study_is_named(study, tmp_path):
    """A study may use the patches of another place, where the patient still is."""
    table = shutil.move(study / "patches", tmp_path / "table")
    publish_json(f"{study}/_study.json", {"patches": str(table)})
    result = withdraw(study)
    assert result["exit_code"] == 1
    assert f"not reached: studies: {table}" in result["text"]
    assert withdraw(table)["exit_code"] == 0

    assert withdraw(study)["exit_code"] == 0


def test_readings_outside_the_study_are_named(tmp_path):
    """The command does not write to files that are not of the study."""
    study = made_up_reader_study(tmp_path / "study")
    publish_json(f"{study}/statistics/_settings.json", {"stage": "fit_stats"})
    publish_json(
        f"{study}/statistics/_sources.json", {"readings": "/desk/a.csv", "consensus": None}
    )

    assert "remains: /desk/a.csv: readings; remove" in withdraw(study)["text"]
