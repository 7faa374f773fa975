"""FEATURES: made once, resumed, followed, joined with an experiment, and forgotten."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from idhray.classify.dataset import load_images
from idhray.classify.encoders import encode_images, encoder_network
from idhray.classify.settings import ClassifierSettings
from idhray.classify.timm_import import import_timm
from idhray.errors import ConfigError, StorageError, TableError
from idhray.ledger import fates
from idhray.stages import encode as stage
from idhray.stages.encode import EncodeFlags, EncodeSettings, encode
from idhray.stages.experiment.outcome import read_outcome
from idhray.stages.forget import ForgetFlags, forget
from idhray.stages.runtime.folder import DONE
from idhray.stages.sweep import SweepFlags, sweep
from idhray.storage import publish_json, read_json
from idhray.table_parts import parts, publish_table, read_table
from idhray.tables import PATCHES, TRIALS, features_schema
from tests.stages.in_process import without_ray
from tests.stages.made_up_experiment import (
    PATIENTS,
    SETTINGS,
    folds,
    generators,
    patches,
)

SMALL = EncodeSettings(image_px=32)
KINDS = ("frozen", "mean-pool", "abmil")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Patches, folds, generators of each fold, and the features of all images."""
    root = tmp_path_factory.mktemp("encode")
    file = folds(root / "folds.parquet")
    images, pairs = patches(root / "patches"), generators(root, file)
    weights = root / "resnet10t.pth"
    torch.manual_seed(0)
    torch.save(encoder_of_nobody().state_dict(), weights)
    features = tuple(f"{table}-features" for table in (images, *pairs))
    with without_ray():
        for table, out in zip((images, *pairs), features, strict=True):
            encoded(table, out, f"resnet10t:{weights}")
    return {
        "images": images, "folds": file, "synthetic": pairs, "features": features,
        "encoder": f"resnet10t:{weights}",
    }  # fmt: skip


def encoder_of_nobody():
    """Random weights of a plain network of timm, with its last layer."""
    timm = import_timm()

    return timm.create_model("resnet10t", pretrained=False, num_classes=5)


def encoded(images, out, encoder, **changed):
    flags = EncodeFlags(images=str(images), out=str(out), encoder=encoder, settings=SMALL)
    return encode(replace(flags, **changed))


def table_of(folder):
    return read_table(str(folder), features_schema(512))


def test_the_features_are_those_of_the_network_in_half_precision(cohort):
    """Row by row, in the order of the images, with their patients."""
    settings = ClassifierSettings(channels="rgb", image_px=32)
    images = load_images(cohort["images"], None, settings)
    expected = encode_images(images.view(), encoder_network(cohort["encoder"], "rgb"))
    table = table_of(cohort["features"][0]).to_pandas().sort_values(["patient", "row"])

    assert table["patient"].tolist() == images.patients.tolist()
    assert np.stack(table["features"]) == pytest.approx(expected, abs=2e-3, rel=2e-3)
    assert table["encoder"].unique().tolist() == ["resnet10t"]
    card = read_json(f"{cohort['features'][0]}/encoder.json")
    assert (card["license"], card["saw_tcga"]) == ("unknown: that of the file", "unknown")
    assert len(card["sha256"]) == 64


def test_a_killed_encoding_continues_and_changed_images_are_encoded_again(
    cohort, tmp_path, monkeypatch
):
    """Finished inputs are not read again; the table equals that of an unbroken run."""
    images, out = shutil.copytree(cohort["images"], tmp_path / "patches"), tmp_path / "out"
    done, work = [], stage.encode_one

    def killed(task):
        done.append(task.paths)
        if len(done) == 5:
            raise KeyboardInterrupt
        return work(task)

    with without_ray():
        monkeypatch.setattr(stage, "encode_one", killed)
        with pytest.raises(KeyboardInterrupt):
            encoded(images, out, cohort["encoder"])
        encoded(images, out, cohort["encoder"])

        assert len(done) == 5 + len(PATIENTS) - 4
        assert table_of(out).equals(table_of(cohort["features"][0]))
        path = parts(str(images))[0]
        rows = read_table(str(images), PATCHES, part_names=[path.rsplit("/", 1)[1]]).to_pylist()
        publish_table(path, [dict(row, image=rows[0]["image"]) for row in rows], PATCHES)
        publish_json(f"{images}/{DONE}", {"digest": "other patches"})
        encoded(images, out, cohort["encoder"])

        assert len(done) == 5 + len(PATIENTS) - 4 + 1
        changed = table_of(out).to_pandas().query("patient == 'M00'")["features"]
        assert np.ptp(np.stack(changed), axis=0).max() == 0


@pytest.fixture(scope="module")
def experiment(cohort, tmp_path_factory):
    """A sweep of the three heads on the features."""
    out = str(tmp_path_factory.mktemp("sweep") / "out")
    inputs = {name: cohort[name] for name in ("images", "folds", "synthetic", "features")}
    settings = replace(
        SETTINGS, classifiers=KINDS, mil=replace(SETTINGS.mil, epochs=2, embedding=8, slots=4)
    )
    with without_ray():
        sweep(SweepFlags(out=out, settings=settings, **inputs))
    return out, SweepFlags(out=out, settings=settings, **inputs)


def test_all_heads_are_trained_on_every_arm_of_the_features(experiment):
    """No image is decoded for them; each has its name in `model`."""
    out, flags = experiment
    rows = read_outcome(out).predictions
    models = {"resnet10t", "resnet10t mean-pool", "resnet10t abmil"}

    assert set(rows["model"]) == models
    for model in models:
        tested = rows[(rows["model"] == model) & (rows["split"] == "test")]
        assert set(tested["arm"]) == {"real", "synthetic:8", "duplicate:8", "more-real:8"}
        assert len(tested) == 4 * 2 * len(PATIENTS)
        assert tested["p_mutant"].between(0, 1).all()
    before = dict(fates(out))
    with without_ray():
        sweep(flags)
    assert fates(out) == before


def test_the_attention_on_synthetic_images_is_recorded(experiment):
    """A reviewer asks if the network looked at them at all."""
    trials = read_table(f"{experiment[0]}/trials", TRIALS).to_pandas()
    pooled = trials[trials["model"] == "resnet10t abmil"]
    with_images = pooled[pooled["arm"] != "real"]

    assert with_images["attention_added"].between(0, 1).all()
    assert with_images["slots_added"].between(0.02, 0.5).all()
    assert pooled[pooled["arm"] == "real"]["attention_added"].isna().all()


def test_the_protocol_names_the_weights_and_not_their_place(experiment, cohort):
    """A file that moved is the same encoder; other weights are another protocol."""
    classifier = read_json(f"{experiment[0]}/protocol.json")["decisive"]["classifier"]

    assert classifier["features"]["encoder_sha256"]
    assert cohort["encoder"].split(":")[1] not in json.dumps(classifier)
    ancestry = read_json(f"{experiment[0]}/generators.json")["ancestry"]
    assert any("Encoder resnet10t was pretrained on unknown images" in line for line in ancestry)


def test_features_that_do_not_belong_together_are_refused(cohort, experiment, tmp_path):
    """Two encoders, missing images, and a folder of something else."""
    with without_ray():
        encoded(cohort["images"], tmp_path / "lite", "efficientnet_lite0")
        for features, error, message in (
            (
                (cohort["features"][1], str(tmp_path / "lite")),
                ConfigError,
                "one encoder, --image-px",
            ),
            ((cohort["features"][1],), TableError, "images have no features"),
            ((cohort["images"],), ConfigError, "not a table of `idhray encode`"),
        ):
            flags = replace(experiment[1], features=features, out=str(tmp_path / "out"))
            with pytest.raises(error, match=message):
                sweep(flags)
        weights = tmp_path / "weights.pth"
        torch.save({"other.weight": torch.zeros(2)}, weights)
        with pytest.raises(StorageError, match="tensors are missing"):
            encoded(cohort["images"], tmp_path / "none", f"resnet10t:{weights}")
        with pytest.raises(ConfigError, match="its weights are gated and in no package"):
            encoded(cohort["images"], tmp_path / "none", "uni2_h")


def test_synthetic_slices_have_the_channels_that_are_asked_for(cohort, tmp_path):
    """A SYNTHETIC table was refused as two channels, so no head could use synthetic MRI."""
    synthetic, images = cohort["synthetic"][0], cohort["images"]
    settings = EncodeSettings(image_px=32, channels="two-channel")
    with without_ray():
        flags = EncodeFlags(
            images=synthetic,
            encoder=cohort["encoder"],
            out=str(tmp_path / "out"),
            settings=settings,
        )
        encode(flags)
        with pytest.raises(ConfigError, match="no SLICES table"):
            encode(replace(flags, images=images, out=str(tmp_path / "none")))

    assert read_json(str(tmp_path / "out" / "_settings.json"))["channels"] == "two-channel"


def test_a_withdrawal_removes_the_features_of_the_patient(cohort, tmp_path):
    """Features identify images; they leave with them."""
    folder = shutil.copytree(cohort["features"][0], tmp_path / "features")
    forget(ForgetFlags(study=str(folder), patient=("M00",)))
    left = table_of(folder).to_pandas()

    assert sorted(set(left["patient"])) == sorted(set(PATIENTS) - {"M00"})
    assert "M00" not in fates(str(folder))
