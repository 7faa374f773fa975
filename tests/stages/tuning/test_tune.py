"""`idhray tune` on Ray: a search that is interrupted, its result in a sweep, and its refusals."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from idhray import ledger
from idhray.classify.frozen import ProbeSettings
from idhray.classify.timm_import import import_timm
from idhray.errors import ConfigError, LeakageError
from idhray.stages.encode import EncodeFlags, EncodeSettings, encode
from idhray.stages.forget import ForgetFlags, forget
from idhray.stages.sweep import SweepFlags, sweep
from idhray.stages.tune import TuneFlags, tune
from idhray.storage import publish_json, read_json
from idhray.table_parts import part_path, read_table
from idhray.tables import TUNING
from tests.stages.in_process import without_ray
from tests.stages.made_up_experiment import PROTOCOL, SETTINGS, folds, patches

PROBE = replace(
    SETTINGS,
    protocol=replace(PROTOCOL, counts=(), ratios=(), controls=()),
    classifiers=("frozen",),
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Patches, their features and folds."""
    timm = import_timm()

    root = tmp_path_factory.mktemp("tune")
    images, file = patches(root / "patches"), folds(root / "folds.parquet")
    torch.manual_seed(0)
    weights = root / "w.pth"
    torch.save(timm.create_model("resnet10t", pretrained=False).state_dict(), weights)
    flags = EncodeFlags(
        images=images, out=str(root / "features"), encoder=f"resnet10t:{weights}",
        settings=EncodeSettings(image_px=32),
    )  # fmt: skip
    with without_ray():
        encode(flags)
    return {"images": images, "folds": file, "features": (flags.out,)}


@pytest.fixture(scope="module")
def search(ray_local, inputs, tmp_path_factory):
    """A random search of three trials in each of three folds."""
    out = str(tmp_path_factory.mktemp("search") / "out")
    flags = TuneFlags(
        out=out, settings=PROBE, search="random", scheduler="none", trials=3, **inputs
    )
    return flags, tune(flags)


def table(out):
    rows = read_table(out, TUNING).to_pandas().sort_values(["fold", "trial"], ignore_index=True)
    return rows.drop(columns=["seconds", "gpu_seconds"])


def test_an_interrupted_search_ends_with_the_table_of_an_unbroken_one(search, tmp_path):
    """Finished trials are not run again; the lost ones draw the same values."""
    flags, _ = search
    out = shutil.copytree(flags.out, tmp_path / "out")
    before = ledger.fates(str(out))
    for name in ("fold=1 trial=2", "fold=3 trial=1"):
        ledger.forget(str(out), name)
        (out / part_path("", name).lstrip("/")).unlink()
    tune(replace(flags, out=str(out)))
    after = ledger.fates(str(out))

    assert len(before) == 9
    assert table(str(out)).equals(table(flags.out))
    assert after["fold=2 trial=1"] == before["fold=2 trial=1"]
    assert (out / "trials-1.png").read_bytes()[:4] == b"\x89PNG"


def test_the_best_trial_of_each_fold_serves_all_arms_of_a_sweep(search, inputs, tmp_path):
    """The protocol records what was found, and that it was tuned on `real`."""
    flags, result = search
    best = read_json(result["best"])
    sweep_flags = SweepFlags(
        out=str(tmp_path / "sweep"), settings=PROBE, tuned=result["best"], **inputs
    )
    with without_ray():
        sweep(sweep_flags)
    tuned = read_json(f"{tmp_path}/sweep/protocol.json")["decisive"]["classifier"]["tuned"]

    for number in "123":
        rows = table(flags.out).query(f"fold == {number}")
        assert best["folds"][number]["auc"] == rows["auc"].max()
        assert tuned["folds"][number] == best["folds"][number]["settings"]
    assert "every arm has the settings" in tuned["rule"]


def test_settings_that_were_tuned_on_a_held_out_patient_are_refused(search, inputs, tmp_path):
    """The search is an ancestor of every training."""
    _, result = search
    best = read_json(result["best"])
    best["folds"]["1"]["patients"].append("M00")  # tested in fold 1
    publish_json(str(tmp_path / "best.json"), best)
    sweep_flags = SweepFlags(
        out=str(tmp_path / "out"), settings=PROBE, tuned=str(tmp_path / "best.json"), **inputs
    )

    with pytest.raises(LeakageError, match="the search for fold 1"):
        sweep(sweep_flags)
    network = replace(PROBE, classifiers=("network",))
    with pytest.raises(ConfigError, match="settings of the classifier frozen"):
        sweep(replace(sweep_flags, tuned=result["best"], settings=network))


def test_a_search_that_cannot_start_is_refused(search, tmp_path):
    """Before any image is read."""
    flags, _ = search
    space = tmp_path / "space.toml"
    for text, message in (
        ("[budget]\nchoice = ['epochs']", "belongs to the protocol"),
        ("[rate]\nuniform = [0, 1]", "is no setting of ProbeSettings"),
        ("[penalty]\nuniform = [-1, 1]", "must be above 0"),
    ):
        space.write_text(text)
        with pytest.raises(ConfigError, match=message):
            tune(replace(flags, space=str(space), out=str(tmp_path / "out")))
    with pytest.raises(ConfigError, match="needs --features"):
        tune(replace(flags, features=(), out=str(tmp_path / "out")))
    assert ProbeSettings().penalty is None


def test_a_withdrawn_patient_becomes_a_token_in_the_result(search, tmp_path):
    """The settings descend from the patient; `--models` removes them."""
    flags, _ = search
    out = shutil.copytree(flags.out, tmp_path / "out")
    result = forget(ForgetFlags(study=str(out), patient=("M05",)))

    assert "M05" not in json.dumps(read_json(f"{out}/best.json"))
    assert "settings" in result["text"]
