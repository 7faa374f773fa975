"""`export-onnx`: the file gives what the network gives, and names no patient."""

import json
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from idhray.classify.trial_models import load_network, model_folders
from idhray.cli import run
from idhray.errors import ConfigError, StorageError
from idhray.exchange.onnx_file import import_onnx, refuse_other_results
from idhray.gan.checkpoint import read_model, save
from idhray.gan.sample import generate, inputs_of, load_generator, render
from idhray.gan.trainer import train
from idhray.stages.export_onnx import ExportOnnxFlags, export_onnx
from idhray.storage import publish_json
from tests.gan.made_up import BY_NAME, DIFFUSION, ignore, start


def session_of(path):
    """The file in a program without PyTorch."""
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def finished(folder, settings):
    """A finished training, as `train-gan` leaves it."""
    model = start(settings, patients=("PATIENT-ONE", "PATIENT-TWO"))
    train(model, ignore, until_kimg=0.04)
    save(model, str(folder))
    publish_json(str(folder / "_settings.json"), {"stage": "train_gan"})
    publish_json(str(folder / "_done.json"), {"digest": "0" * 16})
    return folder


def test_a_kept_classifier_gives_the_probabilities_of_predict(experiment, tmp_path):
    """For any number of images; the settings of their preparation are in the file."""
    folder = next(f for f in model_folders(experiment.out) if "real" in f)
    out = tmp_path / "model.onnx"
    result = export_onnx(ExportOnnxFlags(model=folder, out=str(out)))
    settings = json.loads({p.key: p.value for p in onnx.load(str(out)).metadata_props}["settings"])
    chance = np.random.default_rng(1)
    pixels = chance.integers(0, 256, (7, settings["image_px"], settings["image_px"]), np.uint8)
    with torch.no_grad():
        logits = load_network(folder).eval()(torch.from_numpy(pixels)[:, None])
    expected = logits.softmax(1)[:, 1].numpy()
    (found,) = session_of(out).run(None, {"images": pixels[:, None]})

    assert result["kind"] == "classifier"
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.ptp(found) > 0
    with pytest.raises(ConfigError, match="exists; choose another --out or give --overwrite"):
        export_onnx(ExportOnnxFlags(model=folder, out=str(out)))


@pytest.mark.parametrize("name", ["pggan", "stylegan2"])
def test_a_generator_gives_the_images_of_synthesize(tmp_path, name):
    """From the same latents, to a gray level; no patient is named."""
    folder, out = finished(tmp_path / "gan", BY_NAME[name]), tmp_path / "gan.onnx"
    export_onnx(ExportOnnxFlags(model=str(folder), out=str(out)))
    generator = load_generator(str(folder))
    latents = torch.randn(1, BY_NAME[name].latent_size)
    (found,) = session_of(out).run(None, {"latents": latents.numpy()})

    assert found.dtype == np.uint8
    assert found.shape == generate(generator, 0, [0]).shape
    data = out.read_bytes()
    assert b"PATIENT" not in data
    assert read_model(str(folder))["weights_sha256"].encode() in data


def test_a_file_holds_one_class_of_a_network_of_both(tmp_path):
    """A program without a choice of class gets the images of the class that was asked for."""
    settings, files = BY_NAME["stylegan2-both"], {}
    folder = finished(tmp_path / "gan", settings)
    latents = torch.randn(1, settings.latent_size)
    with pytest.raises(ConfigError, match="give --idh mutant or --idh wildtype"):
        export_onnx(ExportOnnxFlags(model=str(folder), out=str(tmp_path / "none.onnx")))
    for idh in ("wildtype", "mutant"):
        out = tmp_path / f"{idh}.onnx"
        export_onnx(ExportOnnxFlags(model=str(folder), out=str(out), idh=idh))
        (files[idh],) = session_of(out).run(None, {"latents": latents.numpy()})
        generator = load_generator(str(folder), idh=idh)
        expected = render(generator, inputs_of(generator, latents, 1.0)).numpy()

        assert np.abs(files[idh] - expected.astype(float)).max() <= 1
    assert (files["wildtype"] != files["mutant"]).any()


def test_a_diffusion_model_is_refused(tmp_path):
    """An image of it takes many calls of the network."""
    folder = finished(tmp_path / "model", DIFFUSION)
    with pytest.raises(ConfigError, match="calls its network many times"):
        export_onnx(ExportOnnxFlags(model=str(folder), out=str(tmp_path / "x.onnx")))


def test_a_file_with_other_results_is_not_written(tmp_path):
    """A wrong export must not reach a hospital."""
    folder, out = finished(tmp_path / "gan", BY_NAME["pggan"]), tmp_path / "gan.onnx"
    export_onnx(ExportOnnxFlags(model=str(folder), out=str(out)))
    latents = torch.randn(1, BY_NAME["pggan"].latent_size)

    with pytest.raises(StorageError, match="differs from the network by"):
        refuse_other_results(
            out.read_bytes(), lambda z: torch.zeros(1, 8, 8, 3, dtype=torch.uint8), latents, 1.0
        )


def test_bad_input_is_one_line(tmp_path, capsys, monkeypatch):
    """No folder of a model, another kind of model, or packages that are not installed."""
    assert run(["export-onnx", "--model", str(tmp_path), "--out", str(tmp_path / "m.onnx")]) == 1
    assert "give the folder of one trained model" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigError, match=r"pip install 'idhray\[onnx\]'"):
        import_onnx("onnx")
