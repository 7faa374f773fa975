"""A GAN is judged, its copies are left out, and one that failed is refused."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from idhray.config import settings_dict, settings_from
from idhray.errors import ConfigError, LeakageError, StorageError
from idhray.generator_records import read_gate
from idhray.ledger import fates
from idhray.stages import evaluate_gan as stage
from idhray.stages.evaluate_gan import PRESETS, EvaluateGanFlags, EvaluateGanTask, evaluate_gan
from idhray.stages.gan_training.image_sets import training_images
from idhray.stages.runtime.folder import seal
from idhray.stages.sweep import SweepFlags, sweep
from idhray.stages.synthesize import SynthesizeFlags, synthesize, valid_gate
from idhray.stages.train_classifier import TrainClassifierFlags, train_classifier
from idhray.storage import absolute, read_json
from idhray.table_parts import read_table
from idhray.tables import SYNTHETIC
from tests.stages.conftest import EXPERIMENT, GAN, STUDY


def test_the_verdict_lies_beside_figures_and_checkpoint(small_study):
    """Every figure has its floor, its features and its n."""
    folder = small_study / "evaluation-mutant"
    gate = read_gate(str(small_study / "gan-mutant"))
    fidelity = pd.read_csv(folder / "fidelity.csv")
    images = pd.read_csv(folder / "images.csv")

    assert gate.passed == read_json(str(folder / "gate.json"))["passed"]
    assert gate.generator == seal(str(small_study / "gan-mutant"))
    assert set(fidelity["extractor"]) == {"random conv net, seed 0, 96 px"}
    assert {"fid", "kid", "precision", "recall", "density", "coverage"} <= set(fidelity["metric"])
    assert (fidelity["n_patients"] > 1).all()
    assert fidelity["floor"].notna().all()
    assert len(images) == 24
    assert (folder / "pairs.png").exists()
    assert (folder / "samples.png").exists()
    assert (folder / "walk.png").exists()


def loosened(folder, rank):
    """A checkpoint whose limit takes the `rank` nearest of the judged images for copies."""
    images = pd.read_csv(folder.parent / "evaluation-mutant" / "images.csv")
    distances = np.sort(np.sqrt(2 - 2 * images["correlation"]))
    gate = json.loads((folder / "_gate.json").read_text())
    gate["limits"] |= {"pixel": float(distances[rank]), "feature": 0.0}
    return gate


def test_copies_are_left_out_and_others_take_their_place(small_study, tmp_path):
    """As many images as were asked for; the ledger names what is missing, and a rerun agrees."""
    checkpoint = tmp_path / "gan-mutant"
    shutil.copytree(small_study / "gan-mutant", checkpoint)
    shutil.copytree(small_study / "evaluation-mutant", tmp_path / "evaluation-mutant")
    gate = loosened(checkpoint, rank=6)
    (checkpoint / "_gate.json").write_text(json.dumps(gate))
    out = tmp_path / "made"
    done = synthesize(SynthesizeFlags(checkpoint=str(checkpoint), count=24, out=str(out), seed=1))
    rows = read_table(str(out), SYNTHETIC).to_pandas()
    notes = "; ".join(fate.error for fate in fates(str(out)).values() if fate.error)

    assert len(rows) == 24
    assert done["copies"] > 0
    left_out = set(range(24 + done["copies"])) - set(rows["index"])
    assert len(left_out) == done["copies"]
    for index in left_out:
        assert f"left out: {index} copies part-" in notes
    again = synthesize(SynthesizeFlags(checkpoint=str(checkpoint), count=24, out=str(out), seed=1))
    assert again["rows"] == 24
    assert sorted(read_table(str(out), SYNTHETIC)["index"].to_pylist()) == sorted(rows["index"])


def test_images_of_another_truncation_than_was_judged_are_said(small_study, tmp_path, caplog):
    """Truncated images vary less: the verdict on others says nothing of them."""
    checkpoint = tmp_path / "gan-mutant"
    shutil.copytree(small_study / "gan-mutant", checkpoint)
    gate = json.loads((checkpoint / "_gate.json").read_text())
    (checkpoint / "_gate.json").write_text(json.dumps({**gate, "psi": 0.5}))

    assert valid_gate(str(checkpoint), gate["generator"], 0.5) is not None
    assert "evaluated at psi" not in caplog.text
    assert valid_gate(str(checkpoint), gate["generator"], 1.0) is not None
    assert "evaluated at psi 0.5, not 1" in caplog.text
    assert valid_gate(str(checkpoint), "another", 1.0) is None


def test_a_generator_of_nothing_but_copies_makes_no_set(small_study, tmp_path):
    """It ends, rather than to draw for ever."""
    checkpoint = tmp_path / "gan-mutant"
    shutil.copytree(small_study / "gan-mutant", checkpoint)
    gate = json.loads((checkpoint / "_gate.json").read_text())
    gate["limits"]["pixel"] = 3.0
    (checkpoint / "_gate.json").write_text(json.dumps(gate))

    with pytest.raises(StorageError, match="12 of 12 images are copies"):
        synthesize(
            SynthesizeFlags(checkpoint=str(checkpoint), count=12, out=str(tmp_path / "made"))
        )


def test_a_generator_that_returns_training_images_fails(small_study, monkeypatch, tmp_path):
    """A planted copier: training images, a pixel off and a little brighter."""
    images, checkpoint = str(small_study / "patches"), tmp_path / "gan-mutant"
    shutil.copytree(small_study / "gan-mutant", checkpoint)
    real = training_images(images, "mutant", GAN).images

    def copied(generator, seed, indices, psi):
        shown = np.roll(real[[i % len(real) for i in indices]], 1, axis=2)
        return np.clip(shown.astype(int) + 8, 0, 255).astype(np.uint8)

    monkeypatch.setattr(stage, "generate", copied)
    out = tmp_path / "evaluation"
    out.mkdir()
    task = EvaluateGanTask(
        checkpoint=str(checkpoint),
        generator=seal(str(checkpoint)),
        images=images,
        images_digest=seal(images),
        out=str(out),
        settings=PRESETS["demo"],
        count=40,
        features="random",
        pretraining=(),
        psi=1.0,
        seed=0,
    )
    stage.evaluate_generator(settings_from(EvaluateGanTask, settings_dict(task)))
    gate = read_gate(str(checkpoint))

    assert not gate.passed
    assert "are copies of training images" in " ".join(gate.reasons)


def test_a_generator_that_failed_is_refused(small_study, tmp_path):
    """Before anything is trained, unless it is allowed by name."""
    images, failed = str(small_study / "patches"), tmp_path / "failed"
    shutil.copytree(small_study / "synthetic-mutant", failed)
    gate = json.loads((failed / "_gate.json").read_text())
    gate |= {"passed": False, "reasons": ["It copies."]}
    (failed / "_gate.json").write_text(json.dumps(gate))
    synthetic = (str(failed), str(small_study / "synthetic-wildtype"))

    with pytest.raises(LeakageError, match=r"It copies\. .*--allow-failed-gan"):
        train_classifier(
            TrainClassifierFlags(
                images=images,
                out=str(tmp_path / "m"),
                settings=STUDY.classifier,
                synthetic=synthetic,
            )
        )
    with pytest.raises(LeakageError, match="It copies"):
        sweep(
            SweepFlags(
                images=images,
                synthetic=synthetic,
                out=str(tmp_path / "s"),
                settings=EXPERIMENT,
            )
        )
    assert not (tmp_path / "m").exists()


def test_images_that_the_generator_never_saw_are_no_reference(small_study, tmp_path):
    """A mistyped folder must not pass as the training set."""
    checkpoint = tmp_path / "gan-mutant"
    shutil.copytree(small_study / "gan-mutant", checkpoint)
    other = tmp_path / "patches"
    shutil.copytree(small_study / "patches", other)
    known = read_json(str(checkpoint / "model.json"))["patients"]
    path = next(
        path
        for path in other.glob("part-*.parquet")
        if pd.read_parquet(path, columns=["patient"])["patient"].iloc[0] in known
    )
    table = pd.read_parquet(path)
    table["patient"], table["split"], table["idh"] = "P-NEW", "train", "mutant"
    table.to_parquet(path)

    with pytest.raises(Exception, match=r"no training image of 1 patients|never saw"):
        evaluate_gan(
            EvaluateGanFlags(
                checkpoint=str(checkpoint),
                images=str(other),
                out=str(tmp_path / "e"),
                settings=PRESETS["demo"],
                count=24,
            )
        )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"count": 5}, "--count must be 20 or more"),
        ({"features": "vgg"}, "features must be random, inception:FILE"),
        ({"features": "timm:resnet18"}, "features must be"),
    ],
)
def test_impossible_requests_are_refused_before_any_work(small_study, tmp_path, flags, message):
    """Nothing is written either."""
    with pytest.raises(ConfigError, match=message):
        evaluate_gan(
            EvaluateGanFlags(
                checkpoint=str(small_study / "gan-mutant"),
                images=absolute(str(small_study / "patches")),
                out=str(tmp_path / "none"),
                settings=PRESETS["demo"],
                **flags,
            )
        )
    assert not (tmp_path / "none").exists()
