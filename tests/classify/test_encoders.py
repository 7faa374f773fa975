"""Encoders: the weights of the package are those of timm's network, for any channels."""

import dataclasses

import numpy as np
import pytest
import torch
from skimage import data

from idhray.classify.backbones import network_input
from idhray.classify.encoder_records import ENCODERS
from idhray.classify.encoders import encode_images, encoder_ancestry, encoder_network
from idhray.errors import ConfigError, StorageError
from idhray.images import resize
from tests.classify.made_up import dots, view_of

NAME = "efficientnet_lite0"


def view(*images):
    """Images of nobody."""
    return view_of(np.stack(images), np.zeros(len(images), np.int8), np.array(["A"] * len(images)))


def test_the_weights_recognize_what_a_photograph_shows():
    """A cup of espresso is class 967 of ImageNet; layers out of order would see nothing."""
    network = encoder_network(NAME, "rgb")
    weights = torch.load(ENCODERS[NAME].weights(), weights_only=True)
    photograph = resize(np.ascontiguousarray(data.coffee()[:, 100:500]), 224)
    features = torch.from_numpy(encode_images(view(photograph), network))
    logits = features @ weights["_fc.weight"].T + weights["_fc.bias"]

    assert int(logits.argmax()) == 967
    assert float(logits.softmax(dim=1).max()) > 0.8


def test_the_first_layer_fits_the_channels():
    """Two channels are red and green, scaled by 3 / 2; gray is shown to all three."""
    rgb, two = (encoder_network(NAME, channels) for channels in ("rgb", "two-channel"))
    gray = encoder_network(NAME, "gray")
    image = dots(1)

    assert torch.allclose(two.network.conv_stem.weight, rgb.network.conv_stem.weight[:, :2] * 1.5)
    assert np.allclose(
        encode_images(view(image), gray),
        encode_images(view(np.stack([image] * 3, axis=-1)), rgb),
        atol=1e-5,
    )
    assert encode_images(view(np.stack([image] * 2, axis=-1)), two).shape == (1, 1280)


def test_features_do_not_depend_on_the_batch():
    """Nine images take two batches; the last is alone."""
    network = encoder_network(NAME, "gray")
    images = view(*[dots(i % 2, i) for i in range(9)])
    alone = encode_images(images.take([8]), network)

    assert encode_images(images, network)[8] == pytest.approx(alone[0], abs=1e-4)
    assert network_input(images.pixels([8])).dtype == torch.uint8


def test_an_encoder_that_is_not_the_recorded_one_is_refused(tmp_path, monkeypatch):
    """Features of other weights would be another classifier."""
    (tmp_path / "w.pth").write_bytes(b"other")
    changed = dataclasses.replace(ENCODERS[NAME], weights=lambda: str(tmp_path / "w.pth"))

    with pytest.raises(ConfigError, match="encoder 'resnet' does not exist; give efficientnet_li"):
        encoder_network("resnet", "rgb")
    monkeypatch.setitem(ENCODERS, NAME, changed)
    with pytest.raises(StorageError, match="not the weights of encoder efficientnet_lite0"):
        encoder_network(NAME, "rgb")


@pytest.mark.parametrize(("saw", "count"), [("no", 0), ("yes", 1), ("unknown", 1)])
def test_an_encoder_that_may_have_seen_tcga_says_so(monkeypatch, saw, count):
    """Nobody can check overlap with a cohort that published no list of patients."""
    encoder = dataclasses.replace(ENCODERS["efficientnet_lite0"], saw_tcga=saw)
    monkeypatch.setitem(ENCODERS, "uni", encoder)

    assert len(encoder_ancestry("uni")) == count
    assert encoder_ancestry("none") == ()
