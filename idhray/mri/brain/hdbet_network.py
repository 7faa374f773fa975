"""Network of HD-BET version 1, evaluated directly from its weight file.

A residual U-Net after Isensee et al. 2018 (arXiv:1802.10508, figure 1): five levels; two
pre-activated convolutions with a skip connection in each level of the encoder; trilinear
upsampling and a 3x3x3 and a 1x1x1 convolution in the decoder. The network is a function of a table
of tensors, not a class; the names of the parameters are those of the weight file.

Shapes: N images, C channels, then the three axes of space.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

HdbetWeights = Mapping[str, Tensor]  # parameter name -> tensor, as in the file

TINY = 1e-30
"""Magnitude below which weights are set to 0. Almost half of the weights are denormal numbers,
which make a pass 27 times slower on a CPU and change no voxel of the result."""
OUTER_SLOPE = 0.1
INNER_SLOPE = 0.01
"""Negative slopes of the leaky ReLU; the published network uses both."""


def without_denormals(weights: HdbetWeights) -> dict[str, Tensor]:
    """Parameters for inference, with tiny weights set to 0.

    Batch statistics are left out, because each image is normalized by its own, and so are the two
    heads that are used in training only.
    """
    unused = ("running_mean", "running_var", "loc2_seg.weight", "loc3_seg.weight")
    return {
        name: torch.where(tensor.abs() < TINY, 0.0, tensor)
        for name, tensor in weights.items()
        if not name.endswith(unused)
    }


def brain_logit(x: Tensor, weights: HdbetWeights) -> Tensor:
    """Logit of brain minus logit of background, (N, D, H, W), for images (N, 1, D, H, W).

    The sides of an image must be multiples of 16.
    """
    skips = []
    x = _conv(x, weights, "init_conv")
    for level in range(1, 5):
        x = _residual(x, weights, f"context{level}")
        x = _activated(x, weights, f"down{level}.bn", INNER_SLOPE)
        skips.append(x)
        x = _conv(x, weights, f"down{level}.downsample", stride=2)
    x = _residual(x, weights, "context5")
    x = _activated(x, weights, "bn_after_context5", OUTER_SLOPE)
    for step in range(1, 5):
        x = torch.cat([skips.pop(), _upsampled(x, weights, f"up{step}")], dim=1)
        if step < 4:
            x = _localized(x, weights, f"loc{step}")
    for name in ("end_conv_1", "end_conv_2"):
        x = _activated(_conv(x, weights, name), weights, f"{name}_bn", OUTER_SLOPE)
    head = weights["seg_layer.weight"]  # (2, C, 1, 1, 1); softmax depends on their difference only
    return F.conv3d(x, head[1:] - head[:1])[:, 0]


def _conv(x: Tensor, weights: HdbetWeights, name: str, stride: int = 1) -> Tensor:
    kernel = weights[f"{name}.weight"]
    return F.conv3d(x, kernel, weights[f"{name}.bias"], stride, padding=kernel.shape[-1] // 2)


def _activated(x: Tensor, weights: HdbetWeights, name: str, slope: float) -> Tensor:
    """Instance normalization with scale and offset, then a leaky ReLU."""
    y = F.instance_norm(x, weight=weights[f"{name}.weight"], bias=weights[f"{name}.bias"])
    return F.leaky_relu_(y, slope)


def _residual(x: Tensor, weights: HdbetWeights, name: str) -> Tensor:
    y = _conv(_activated(x, weights, f"{name}.bn_1", INNER_SLOPE), weights, f"{name}.conv1")
    y = _conv(_activated(y, weights, f"{name}.bn_2", INNER_SLOPE), weights, f"{name}.conv2")
    return y.add_(x)


def _upsampled(x: Tensor, weights: HdbetWeights, name: str) -> Tensor:
    x = F.interpolate(x, scale_factor=2, mode="trilinear", align_corners=True)
    return _activated(
        _conv(x, weights, f"{name}.upsample_conv"), weights, f"{name}.bn", INNER_SLOPE
    )


def _localized(x: Tensor, weights: HdbetWeights, name: str) -> Tensor:
    for i in (1, 2):
        x = _conv(x, weights, f"{name}.conv{i}")
        x = _activated(x, weights, f"{name}.bn_{i}", INNER_SLOPE)
    return x
