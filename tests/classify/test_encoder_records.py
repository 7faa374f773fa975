"""Records of gated encoders by keys and shapes: their weights cannot be had here.

Networks stand on the meta device, which has shapes and no numbers.
"""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from idhray.classify.encoder_records import ENCODERS, Encoder
from idhray.classify.encoders import (
    ClassAndMean,
    bare_encoder,
    encode_images,
    encoder_ancestry,
    encoder_card,
    encoder_network,
)
from idhray.errors import ConfigError, StorageError
from tests.classify.made_up import view_of

# Millions of parameters, as the publishers state them; CONCH's is ViT-B/16 at 448 px and a pooler.
MILLIONS = {
    "uni2_h": 681, "virchow2": 631, "h_optimus_0": 1135, "h_optimus_1": 1135, "midnight": 1136,
    "conch": 88,
}  # fmt: skip


def on_meta(name):
    with torch.device("meta"):
        return bare_encoder(ENCODERS[name])


@pytest.mark.parametrize("name", sorted(MILLIONS))
def test_a_network_has_the_published_size_and_features(name):
    """A wrong depth, width or layer would show in either."""
    network, record = on_meta(name), ENCODERS[name]
    count = sum(p.numel() for p in network.parameters()) / 1e6
    with torch.device("meta"):
        features = network(torch.zeros(2, 3, record.image_px, record.image_px))

    assert count == pytest.approx(MILLIONS[name], abs=1)
    assert features.shape == (2, record.dimensions)


def transformers_names(state):
    """Names of the tensors in a file of transformers, from timm's."""
    renamed = {}
    for name, value in state.items():
        new = name.replace("patch_embed.proj", "embeddings.patch_embeddings.projection")
        new = {
            "cls_token": "embeddings.cls_token",
            "pos_embed": "embeddings.position_embeddings",
        }.get(name, new)
        if name.startswith("norm."):
            new = name.replace("norm.", "layernorm.")
        if name.startswith("blocks."):
            _, number, inner = name.split(".", 2)
            for ours, theirs in (
                ("attn.proj", "attention.output.dense"), ("ls1.gamma", "layer_scale1.lambda1"),
                ("ls2.gamma", "layer_scale2.lambda1"), ("mlp.fc1", "mlp.weights_in"),
                ("mlp.fc2", "mlp.weights_out"),
            ):  # fmt: skip
                inner = inner.replace(ours, theirs)
            new = f"encoder.layer.{number}.{inner}"
        if ".attn.qkv." in name:
            kind = name.rsplit(".", 1)[1]
            for part, tensor in zip(("query", "key", "value"), value.chunk(3), strict=True):
                renamed[f"encoder.layer.{number}.attention.attention.{part}.{kind}"] = tensor
        else:
            renamed[new] = value
    return {**renamed, "embeddings.mask_token": torch.zeros(1, 1536)}


def test_midnights_file_has_the_tensors_of_timms_network():
    """Query, key and value are joined in this order; the mask token is left out."""
    state = on_meta("midnight").trunk.state_dict()
    mapped = ENCODERS["midnight"].state_of(transformers_names(state), state)
    numbers = {f"encoder.layer.0.attention.attention.{part}.bias": torch.full((2,), float(k))
               for k, part in enumerate(("query", "key", "value"))}  # fmt: skip
    joined = ENCODERS["midnight"].state_of(numbers, {})["blocks.0.attn.qkv.bias"]

    assert {name: t.shape for name, t in mapped.items()} == {n: t.shape for n, t in state.items()}
    assert joined.tolist() == [0, 0, 1, 1, 2, 2]


def test_the_image_branch_of_conch_is_taken_from_the_whole_model():
    """Texts, captions and the contrastive projection are not used."""
    state = on_meta("conch").state_dict()
    file = {f"visual.{name}": tensor for name, tensor in state.items()}
    others = ("text.ln_final.weight", "visual.proj_contrast", "visual.attn_pool_caption.query")
    mapped = ENCODERS["conch"].state_of({**file, **dict.fromkeys(others, torch.zeros(1))}, state)

    assert set(mapped) == set(state)
    assert mapped["attn_pool_contrast.query"].shape == (1, 512)
    assert mapped["attn_pool_contrast.attn.k_proj_weight"].shape == (512, 768)


SMALL = Encoder(
    backbone="vit_tiny_patch16_224",
    options={"img_size": 32, "depth": 2, "num_classes": 0, "reg_tokens": 3, "global_pool": ""},
    pooling="class and mean of patch tokens",
    mean=(0.7, 0.5, 0.6),
    std=(0.2, 0.3, 0.1),
    image_px=32,
    dimensions=384,
    license="a license",
    pretraining="nothing",
    saw_tcga="yes",
)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A small encoder of the kind of Virchow2, with a file of random weights."""
    monkeypatch.setitem(ENCODERS, "small", SMALL)
    torch.manual_seed(0)
    network = bare_encoder(SMALL)
    path = str(tmp_path / "small.safetensors")
    save_file(network.trunk.state_dict(), path)
    return path, network


def test_features_are_the_class_token_and_the_mean_without_registers(small):
    """By the normalization of the record, against timm's own tokens."""
    path, network = small
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    rows = view_of(pixels, np.zeros(2, np.int8), np.array(["A", "B"]))
    features = encode_images(rows, encoder_network(f"small:{path}", "rgb"))
    x = torch.tensor(pixels).permute(0, 3, 1, 2) / 255 - torch.tensor(SMALL.mean).view(3, 1, 1)
    tokens = network.eval().trunk.forward_features(x / torch.tensor(SMALL.std).view(3, 1, 1))

    assert isinstance(network, ClassAndMean)
    assert features[:, :192] == pytest.approx(tokens[:, 0].detach().numpy(), abs=1e-4)
    assert features[:, 192:] == pytest.approx(tokens[:, 4:].mean(dim=1).detach().numpy(), abs=1e-4)


def test_a_file_of_another_network_is_refused(small, tmp_path):
    """Missing, unknown and other shapes, each in one line."""
    _, network = small
    state = network.trunk.state_dict()
    for changed, message in (
        ({k: v for k, v in state.items() if k != "norm.bias"}, r"are missing \(norm.bias\)"),
        ({**state, "head.extra": torch.zeros(1)}, r"are unknown \(head.extra\)"),
        ({**state, "norm.bias": torch.zeros(3)}, r"have another shape \(norm.bias\)"),
    ):
        save_file(changed, str(tmp_path / "other.safetensors"))
        with pytest.raises(StorageError, match=message):
            encoder_network(f"small:{tmp_path}/other.safetensors", "rgb")
    with pytest.raises(ConfigError, match="its weights are gated"):
        encoder_network("midnight", "rgb")


def test_license_digest_and_pretraining_travel_with_the_features(small):
    """A study of TCGA names an encoder that saw TCGA."""
    card = encoder_card(f"small:{small[0]}")

    assert (card["license"], card["saw_tcga"]) == ("a license", "yes")
    assert len(card["sha256"]) == 64
    assert "patients of TCGA are among them" in encoder_ancestry(f"small:{small[0]}")[0]
    assert "12,000 slides of TCGA" in encoder_ancestry("midnight")[0]
    assert encoder_ancestry("uni2_h") == ()
