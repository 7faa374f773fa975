"""Layers of PGGAN; StyleGAN2 shares activation, pixel norm and minibatch standard deviation.

Shapes: N batch, C channels, I/O channels of input and output, H height, W width, K kernel side.
Source: Karras et al. 2018, Progressive Growing of GANs (arXiv:1710.10196), sections 3 and 4.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FLOAT16_LIMIT = 256 * math.sqrt(2)
"""Bound of feature maps in float16, whose largest number is 65504: sums must stay below it."""
HE_GAIN = math.sqrt(2)  # He et al. 2015 (arXiv:1502.01852), equation 10


class EqualLinear(nn.Module):
    """Fully connected layer whose weights are scaled at run time: (N, I) -> (N, O).

    All weights then have the same range, and Adam's equal steps suit all layers.
    Source: arXiv:1710.10196, section 4.1.
    """

    def __init__(
        self, inputs: int, outputs: int, gain: float = HE_GAIN, *, bias: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale = gain / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias)


class EqualConv(nn.Module):
    """Convolution whose weights are scaled at run time, with or without a change of size.

    `resize="up"` doubles the size (nearest) before it, `"down"` averages 2 x 2 after it. Both are
    computed as one convolution of stride 2 with a 4 x 4 kernel, the sum or mean of the four shifts
    of the 3 x 3 kernel: the same numbers for 4/9 of the multiplications.

    Shapes: (N, I, H, W) -> (N, O, H, W), or (N, O, 2H, 2W), or (N, O, H/2, W/2).
    Source: arXiv:1710.10196, section 4.1 and appendix A.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        gain: float = HE_GAIN,
        resize: Literal["no", "up", "down"] = "no",
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = gain / math.sqrt(inputs * kernel**2)
        self.resize = resize

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight * self.scale, self.bias.to(x.dtype)
        if self.resize == "no":
            return F.conv2d(x, weight.to(x.dtype), bias, padding="same")
        weight = F.avg_pool2d(F.pad(weight, (1, 1, 1, 1)), 2, stride=1)  # mean of four shifts
        if self.resize == "down":
            return F.conv2d(x, weight.to(x.dtype), bias, stride=2, padding=1)
        # A transposed convolution takes (I, O, K, K) and rotates the kernel by 180 degrees.
        weight = (4 * weight.flip(2, 3).transpose(0, 1)).to(x.dtype)
        return F.conv_transpose2d(x, weight, bias, stride=2, padding=1)


def precise(x: Tensor) -> Tensor:
    """`x` in float32, or in its own type if that is more precise."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def leaky(x: Tensor) -> Tensor:
    """Activation of all networks (arXiv:1710.10196, appendix A), clamped in float16.

    Source of the bounds: Karras et al. 2020 (arXiv:2006.06676), appendix F, "mixed-precision".
    """
    y = F.leaky_relu(x, 0.2)
    return y.clamp(-FLOAT16_LIMIT, FLOAT16_LIMIT) if x.dtype == torch.float16 else y


def pixel_norm(x: Tensor) -> Tensor:
    """(N, C, ...) with each position's C numbers divided by their root mean square.

    Source: arXiv:1710.10196, section 4.2.
    """
    return x * (precise(x).square().mean(dim=1, keepdim=True) + 1e-8).rsqrt().to(x.dtype)


def minibatch_std(x: Tensor, group: int) -> Tensor:
    """(N, C, H, W) with one more channel, the spread of the images of a group.

    Groups are neighbors in the batch, so a worker that holds a contiguous share of whole groups
    computes the same values as one worker with the whole batch.

    Source: arXiv:1710.10196, section 3; groups of 4 as in its code.
    """
    n, c, h, w = x.shape
    assert n % group == 0, (n, group)
    groups = x.reshape(n // group, group, c, h, w)
    spread = (groups.var(dim=1, correction=0) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    per_image = spread.repeat_interleave(group).view(n, 1, 1, 1)
    return torch.cat([x, per_image.expand(n, 1, h, w)], dim=1)


def channels_last(network: nn.Module) -> None:
    """Keep the weights of a network, and so its feature maps, in the fastest memory layout.

    Measured at 64 px on one CPU core: a step takes 7 to 18 % less.
    """
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub
