"""Networks: shapes, weights from files, and honest errors where weights cannot be had."""

import dataclasses
import subprocess
import sys

import huggingface_hub
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from idhray.classify.backbones import build_network, network_input
from idhray.classify.settings import PRESETS, ClassifierSettings
from idhray.errors import ConfigError, StorageError
from tests.classify.made_up import tiny


def test_timm_can_be_imported_even_after_it_failed():
    """Beside CPU-only torch, torchvision's import fails without the two operators."""
    code = (
        "try: import timm\n"
        "except RuntimeError: pass\n"
        "from idhray.classify.timm_import import import_timm\n"
        "assert import_timm().is_model('resnet50')"
    )

    subprocess.run([sys.executable, "-c", code], check=True)


def test_gray_bytes_are_normalized_like_imagenet():
    """White is (1 - mean) / std in each channel."""
    network = build_network(tiny(), seed=0)
    network.network = torch.nn.Identity()
    seen = network(torch.full((1, 1, 2, 2), 255, dtype=torch.uint8))

    assert seen.shape == (1, 3, 2, 2)
    assert seen[0, :, 0, 0].tolist() == pytest.approx([2.2489, 2.4286, 2.64], abs=1e-4)


@pytest.mark.parametrize("backbone", ["vgg19", "inception_v3", "inception_resnet_v2"])
def test_the_other_networks_of_liu_2020_build(backbone):
    """Two logits each; on the meta device, as only the structure is asked for."""
    with torch.device("meta"):
        network = build_network(
            ClassifierSettings(backbone=backbone, weights="random", image_px=256), seed=0
        )

        assert network(torch.zeros(2, 1, 256, 256)).shape == (2, 2)


def test_the_demo_network_is_resnet50_with_fewer_channels():
    """Same 50 layers (53 convolutions with the shortcuts'), a sixtieth of the weights."""
    network = build_network(PRESETS["demo"], seed=0)
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]

    assert len(convolutions) == 53
    assert sum(p.numel() for p in network.parameters()) < 400_000


def test_first_weights_are_those_of_the_seed():
    """And building leaves the caller's random numbers alone."""
    torch.manual_seed(5)
    first, again, other = (build_network(tiny(), seed).state_dict() for seed in (1, 1, 2))
    drawn = torch.rand(1)
    torch.manual_seed(5)

    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
    assert torch.equal(drawn, torch.rand(1))


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_weights_come_from_a_file_but_for_a_last_layer_of_other_classes(tmp_path, suffix):
    """As with ImageNet's thousand classes."""
    donor = build_network(tiny(), seed=3).network
    donor.fc = torch.nn.Linear(donor.fc.in_features, 1000)
    path = str(tmp_path / f"weights.{suffix}")
    (save_file if suffix == "safetensors" else torch.save)(donor.state_dict(), path)
    network = build_network(tiny(weights=path), seed=4).network

    assert torch.equal(network.conv1[0].weight, donor.conv1[0].weight)
    assert network.fc.weight.shape[0] == 2


def test_weights_of_another_network_are_refused(tmp_path):
    """Half-loaded weights would look like a bad method."""
    path = str(tmp_path / "w.safetensors")
    save_file(build_network(tiny(), seed=0).network.state_dict(), path)

    with pytest.raises(StorageError, match="not the weights of this network"):
        build_network(tiny(weights=path, backbone="resnet14t"), seed=0)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_a_broken_weights_file_is_refused(tmp_path, name):
    """An interrupted download, for one."""
    (tmp_path / name).write_bytes(b"<html>404</html>")

    with pytest.raises(StorageError, match=f"{name}: no weights can be read"):
        build_network(tiny(weights=str(tmp_path / name)), seed=0)


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    """Only tensors are read from a .pth."""
    torch.save({"weights": print}, tmp_path / "w.pth")

    with pytest.raises(StorageError, match="no weights can be read"):
        build_network(tiny(weights=str(tmp_path / "w.pth")), seed=0)


def test_imagenet_weights_that_cannot_be_downloaded_stop_with_one_line(tmp_path, monkeypatch):
    """Never a traceback, never random weights in silence."""
    # The variables HF_HUB_OFFLINE and HF_HUB_CACHE are read once, at import.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))

    with pytest.raises(ConfigError) as caught:
        build_network(PRESETS["liu2020"], seed=0)
    message = str(caught.value)
    assert message.startswith("ImageNet weights for resnet50.tv_in1k could not be downloaded (")
    assert message.endswith("give --weights FILE or --weights random")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "resnet51"}, "'resnet51' is not a network of timm"),
        ({"backbone": "vgg19", "width": 0.5}, "vgg19 has only width 1"),
        ({"weights": "imagenet"}, "width 0.125 has no ImageNet weights"),
    ],
)
def test_networks_that_do_not_exist_are_refused(changes, message):
    """With the reason, before any image is read."""
    with pytest.raises(ConfigError, match=message):
        build_network(tiny(**changes), seed=0)


@pytest.mark.parametrize(
    "changes", [{"epochs": 0}, {"dropout": 1.0}, {"learning_rate": 0.0}, {"batch_size": 1}]
)
def test_settings_out_of_range_are_refused(changes):
    """Nonsense stops where it is written."""
    with pytest.raises(ConfigError, match=next(iter(changes))):
        dataclasses.replace(tiny(), **changes)


@pytest.mark.parametrize("channels", ["rgb", "two-channel"])
def test_a_network_of_other_channels_takes_the_statistics_of_the_first(channels):
    """White is (1 - mean) / std of red and green, and of blue if there is one."""
    network = build_network(tiny(channels=channels), seed=0)
    inputs = network.network.conv1[0].weight.shape[1]
    logits = network(torch.zeros(2, inputs, 32, 32))
    network.network = torch.nn.Identity()
    white = network(torch.full((1, inputs, 2, 2), 255, dtype=torch.uint8))

    assert logits.shape == (2, 2)
    assert white[0, :, 0, 0].tolist() == pytest.approx([2.2489, 2.4286, 2.64][:inputs], abs=1e-4)


def test_a_first_layer_of_rgb_weights_is_made_into_one_of_two_channels(tmp_path):
    """As timm does with ImageNet's: red and green, scaled by 3 / 2."""
    donor = build_network(tiny(channels="rgb"), seed=3).network
    path = str(tmp_path / "weights.safetensors")
    save_file(donor.state_dict(), path)
    network = build_network(tiny(weights=path, channels="two-channel"), seed=4).network

    assert torch.allclose(network.conv1[0].weight, donor.conv1[0].weight[:, :2] * 1.5)
    assert torch.equal(network.conv1[3].weight, donor.conv1[3].weight)


def test_arrays_become_tensors_of_channels_first():
    """Gray has one channel."""
    gray = np.zeros((5, 4, 3), np.uint8)
    colored = np.arange(120, dtype=np.uint8).reshape(5, 4, 3, 2)

    assert network_input(gray).shape == (5, 1, 4, 3)
    assert network_input(colored)[2, 1, 3, 2] == colored[2, 3, 2, 1]
