"""A study whose generators of both classes are one network, from slides to withdrawal."""

import dataclasses
import shutil
from pathlib import Path

import pandas as pd
import pytest

from idhray.gan.checkpoint import read_model
from idhray.gan.stylegan2.config import StyleGan2Settings
from idhray.generator_records import read_gate, read_generator
from idhray.stages.experiment.outcome import read_outcome
from idhray.stages.forget import ForgetFlags, forget
from idhray.stages.status import StatusFlags, status
from idhray.stages.studies.settings import StudyFlags
from idhray.stages.study import study
from tests.stages.conftest import STUDY
from tests.stages.forgetting.traces import pictures, traces

SETTINGS = dataclasses.replace(
    STUDY,
    generator="stylegan2",
    one_network=True,
    stylegan2=StyleGan2Settings(
        resolution_px=16, latent_size=16, mapping_layers=2, fmap_base=64, fmap_max=8, batch_size=8,
        total_kimg=0.4, checkpoint_kimg=0.2, sample_kimg=0.4, patient_weights="equal",
    ),
    protocol=dataclasses.replace(
        STUDY.protocol, fold_count=2, repeats=1, controls=("duplicate",), generators="per fold"
    ),
)  # fmt: skip
PLACES = ("generators/fold-1", "generators/fold-2")


@pytest.fixture(scope="module")
def finished(phantom, tmp_path_factory):
    """A study of two folds, with one network each."""
    folder = tmp_path_factory.mktemp("one-network") / "study"
    study(StudyFlags(manifest=str(phantom), out=str(folder), settings=SETTINGS, seed=1))
    return folder


@pytest.mark.slow
def test_each_fold_has_one_network_and_images_of_each_class(finished):
    """The generators' hours are halved; all that follows is by class."""
    for place in PLACES:
        names = sorted(path.name for path in (finished / place).iterdir() if path.is_dir())
        gan = str(finished / place / "gan-both")
        model = read_model(gan)

        assert names == [
            "evaluation-mutant", "evaluation-wildtype", "gan-both", "synthetic-mutant",
            "synthetic-wildtype",
        ]  # fmt: skip
        assert model["idh"] == "both"
        for idh in ("wildtype", "mutant"):
            record = read_generator(str(finished / place / f"synthetic-{idh}"))
            assert (record.idh, record.conditional) == (idh, True)
            assert list(record.patients) == model["patients"]
            assert read_gate(gan, idh).evaluation == str(finished / place / f"evaluation-{idh}")


@pytest.mark.slow
def test_protocol_and_report_say_that_a_network_is_shared(finished):
    """Four tables of two networks: the protocol names each, the report counts hours once."""
    outcome = read_outcome(str(finished / "sweep"))
    page = (finished / "report.html").read_text()

    assert [entry["conditional"] for entry in outcome.generators] == [True] * 4
    assert len({entry["weights"] for entry in outcome.generators}) == 2
    assert "one network of both" in page
    assert "STYLEGAN2 of" in page


@pytest.mark.slow
def test_the_same_command_finds_nothing_to_do(finished, phantom):
    """A finished study stays as it is, and `status` knows its parts."""
    before = {path: path.stat().st_mtime_ns for path in finished.glob("generators/*/*/weights*")}
    study(StudyFlags(manifest=str(phantom), out=str(finished), settings=SETTINGS, seed=1))

    assert before == {
        path: path.stat().st_mtime_ns for path in finished.glob("generators/*/*/weights*")
    }
    assert len(before) == 2
    state = status(StatusFlags(folder=str(finished)))
    assert state["complete"]
    assert {each["folder"] for each in state["folders"]} >= {f"{p}/gan-both" for p in PLACES}


@pytest.mark.slow
def test_a_withdrawn_patient_leaves_both_classes(finished, tmp_path):
    """The network saw a mutant; with --models its images of wildtypes go, too."""
    copy = Path(shutil.copytree(finished, tmp_path / "study"))
    cohort = pd.read_parquet(copy / "cohort.parquet").set_index("patient")
    patients = read_model(str(copy / PLACES[0] / "gan-both"))["patients"]
    patient = next(name for name in patients if cohort.loc[name, "idh"] == "mutant")
    secrets = [*pictures(str(copy), patient), patient.encode()]
    forget(ForgetFlags(study=str(copy), patient=(patient,), models=True))

    assert traces(str(copy), secrets) == []
    assert not (copy / PLACES[0] / "gan-both").exists()
    for idh in ("wildtype", "mutant"):
        assert not (copy / PLACES[0] / f"synthetic-{idh}").exists()
        assert not (copy / PLACES[0] / f"evaluation-{idh}").exists()
