"""A GAN that started from another may copy the images of that one."""

import json
import shutil

import numpy as np
import pytest

from idhray.errors import ConfigError
from idhray.generator_records import read_gate
from idhray.stages import evaluate_gan as evaluation
from idhray.stages import synthesize as making
from idhray.stages.evaluate_gan import PRESETS, EvaluateGanTask
from idhray.stages.gan_training.image_sets import training_images
from idhray.stages.gan_training.pretraining import pretraining_tables, unseen_tables
from idhray.stages.runtime.folder import seal
from idhray.stages.synthesize import SynthesizeTask
from tests.stages.conftest import GAN


@pytest.fixture
def checkpoint(small_study, tmp_path):
    """The GAN of mutants, as if it had started from one of wildtypes; and that one's table."""
    folder, earlier = tmp_path / "gan-mutant", tmp_path / "normal"
    shutil.copytree(small_study / "gan-mutant", folder)
    shutil.copytree(small_study / "patches", earlier)
    done = json.loads((earlier / "_done.json").read_text())
    (earlier / "_done.json").write_text(json.dumps({**done, "digest": "another"}))
    model = json.loads((folder / "model.json").read_text())
    model["tables"].append({"name": "normal", "digest": "another", "idh": "wildtype"})
    (folder / "model.json").write_text(json.dumps(model))
    return folder, str(earlier), model


def test_copies_of_earlier_images_fail_a_generator_and_are_left_out(
    small_study, checkpoint, monkeypatch, tmp_path
):
    """A planted copier of wildtypes, none of which is in the table of its last training."""
    folder, earlier, model = checkpoint
    images, out = str(small_study / "patches"), tmp_path / "evaluation"
    out.mkdir()
    real = training_images(earlier, "wildtype", GAN).images

    def copied(generator, seed, indices, psi):
        shown = np.roll(real[[i % len(real) for i in indices]], 1, axis=2)
        return np.clip(shown.astype(int) + 8, 0, 255).astype(np.uint8)

    monkeypatch.setattr(evaluation, "generate", copied)
    monkeypatch.setattr(
        making,
        "image_blocks",
        lambda g, s, i, psi, threads: iter([(list(range(len(i))), copied(g, s, i, psi))]),
    )
    task = EvaluateGanTask(
        checkpoint=str(folder),
        generator=seal(str(folder)),
        images=images,
        images_digest=seal(images),
        out=str(out),
        settings=PRESETS["demo"],
        count=40,
        features="random",
        pretraining=tuple(pretraining_tables(model, [earlier])),
        psi=1.0,
        seed=0,
    )
    evaluation.evaluate_generator(task)
    gate = read_gate(str(folder))
    found = json.loads((out / "gate.json").read_text())

    assert not gate.passed
    assert "40 generated images are copies of images of an earlier training (normal)" in " ".join(
        gate.reasons
    )
    assert found["figures"]["earlier_trainings"][0]["copies"] > 30
    assert "not looked for" not in " ".join(found["notes"])
    part = SynthesizeTask(
        checkpoint=str(folder), generator=task.generator, seed=0, psi=1.0, gate=gate, first=0, end=8
    )
    outcome = making.synthesize_some(part)
    assert len(outcome.rows) < 3
    assert "left out: 0 copies" in outcome.note


def test_earlier_images_that_nobody_searched_are_said(checkpoint):
    """Silence would read as "no copies"."""
    _, earlier, model = checkpoint
    (note,) = unseen_tables(model, [])

    assert "(normal) were not looked for" in note
    assert unseen_tables(model, pretraining_tables(model, [earlier])) == []
    old = {"initialised_from": "0123", "tables": []}
    assert "of the generator that it started from" in unseen_tables(old, [])[0]
    assert unseen_tables({"initialised_from": None, "tables": model["tables"][:1]}, []) == []


def test_another_table_is_refused_by_name(small_study, checkpoint):
    """A mistyped folder must not pass as the earlier images."""
    with pytest.raises(ConfigError, match=r"was not trained on it .* \(known: normal\)"):
        pretraining_tables(checkpoint[2], [str(small_study / "patches")])
