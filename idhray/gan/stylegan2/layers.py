"""Layers of StyleGAN2: modulated convolution, equalized layers, and the filter for resizing.

The gain sqrt(2) after each leaky ReLU is folded into the operation before it, where it costs
nothing: gain * leaky(x) = leaky(gain * x).

Each layer computes in the type of its input feature maps; styles, norms of weights and image
channels are float32.

Shapes: N batch, I/O channels of input and output, C channels, H height, W width, Z size of w.
Source: Karras et al. 2020 (arXiv:1912.04958), K2020 below; Karras et al. 2019 (arXiv:1812.04948).
"""

import functools
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from idhray.gan.layers import leaky, precise

GAIN = math.sqrt(2)  # leaky ReLU lowers the mean square; He et al. 2015 (arXiv:1502.01852)
EPSILON = 1e-8  # K2020, equation 3


def _kernel(device: torch.device, dtype: torch.dtype) -> Tensor:
    """(1, 1, 4, 4): binomial filter [1, 3, 3, 1] in both directions, with sum 1."""
    if torch.compiler.is_compiling():
        return _new_kernel(device, dtype)  # a constant of the compiled phase
    return _cached_kernel(device, dtype)


def _new_kernel(device: torch.device, dtype: torch.dtype) -> Tensor:
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], device=device, dtype=dtype) / 8
    return torch.outer(taps, taps)[None, None]


_cached_kernel = functools.lru_cache(_new_kernel)


def low_passed(x: Tensor, *, pad: int, stride: int = 1, gain: float = 1.0) -> Tensor:
    """(N, C, H, W) filtered, with `pad` zeros around it; `stride` 2 keeps every second pixel."""
    return _filtered(x, gain * _kernel(x.device, x.dtype), stride, pad, None)


def downsampled_by_two(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, H/2, W/2), filtered first."""
    return low_passed(x, pad=1, stride=2)


def upsampled_by_two(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, 2H, 2W): zeros inserted between the pixels, then filtered."""
    return _filtered(x, 4 * _kernel(x.device, x.dtype), 2, 1, 2 * x.shape[2])


def _filtered(x: Tensor, kernel: Tensor, stride: int, pad: int, side: int | None) -> Tensor:
    """Each channel convolved with a fixed kernel; with `side`, the transpose, to that side."""
    if torch.compiler.is_compiling():
        return _convolved(x, kernel, stride, pad, side)  # the compiler drops unused gradients
    filtered: Tensor = _Filter.apply(x, kernel, stride, pad, side)  # type: ignore[no-untyped-call]
    return filtered


def _convolved(x: Tensor, kernel: Tensor, stride: int, pad: int, side: int | None) -> Tensor:
    channels = x.shape[1]
    weight = kernel.expand(channels, -1, -1, -1)
    if side is None:
        return F.conv2d(x, weight, None, stride, pad, groups=channels)
    if x.is_cuda and not torch.compiler.is_compiling():
        return transposed_by_convolution(x, weight, stride, pad, side)
    extra = side - ((x.shape[2] - 1) * stride - 2 * pad + kernel.shape[2])
    return F.conv_transpose2d(x, weight, None, stride, pad, extra, groups=channels)


def transposed_by_convolution(
    x: Tensor, weight: Tensor, stride: int, pad: int, side: int
) -> Tensor:
    """(N, C, side, side): the transpose of a convolution of each channel, by fast kernels of GPUs.

    cuDNN is slow at transposed convolutions with a group for each channel. On a CPU results differ
    in their last bits from those of `F.conv_transpose2d`, which checkpoints were trained with.

    Args:
        x: Maps of the convolution's output size.
        weight: (C, 1, 4, 4), unchanged by a half turn.
        stride: 1 or 2.
        pad: Zeros around the input of the convolution.
        side: Side of that input.
    """
    channels = x.shape[1]
    if stride == 1:
        return F.conv2d(x, weight, None, 1, weight.shape[2] - 1 - pad, groups=channels)
    source = x.new_empty(len(x), channels, side, side)  # only its size is read
    slopes: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
        x, source, weight, None, [stride] * 2, [pad] * 2, [1, 1], False, [0, 0], channels,
        [True, False, False],
    )  # fmt: skip
    return slopes[0]


class _Filter(torch.autograd.Function):
    """Linear map whose backward pass is its transpose, at every order of differentiation.

    PyTorch's second derivative of a grouped convolution goes channel by channel, to get the slope
    of the kernel: thousands of convolutions in a step of R1.
    """

    @staticmethod
    def forward(x: Tensor, kernel: Tensor, stride: int, pad: int, side: int | None) -> Tensor:
        return _convolved(x, kernel, stride, pad, side)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, ctx.kernel, ctx.stride, ctx.pad, ctx.side = inputs
        ctx.back = x.shape[2] if ctx.side is None else None

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None, None, None, None]:
        slope = _Filter.apply(  # type: ignore[no-untyped-call]
            slopes[0], ctx.kernel, ctx.stride, ctx.pad, ctx.back
        )
        return slope, None, None, None, None


class Dense(nn.Module):
    """Fully connected layer with equalized learning rate, (N, I) -> (N, O).

    Weights and bias are stored divided by `lr` and used times `lr`, which scales Adam's steps.
    Source: K2020, appendix B; `lr` of the mapping network: arXiv:1812.04948, appendix C.
    """

    def __init__(
        self, inputs: int, outputs: int, *, gain: float = 1.0, bias: float = 0.0, lr: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr)
        self.bias = nn.Parameter(torch.full((outputs,), bias / lr))
        self.scale = gain * lr / math.sqrt(inputs)
        self.bias_scale = gain * lr

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias * self.bias_scale)


class StyleGan2Conv(nn.Module):
    """Convolution with equalized learning rate: (N, I, H, W) -> (N, O, H, W), or half the side.

    `down` filters, then convolves with stride 2. Without `bias` it is a linear map.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        gain: float = 1.0,
        bias: bool = True,
        down: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale = gain / math.sqrt(inputs * kernel**2)
        self.gain = gain
        self.pad = kernel // 2
        self.down = down

    def forward(self, x: Tensor) -> Tensor:
        weight = (self.weight * self.scale).to(x.dtype)
        bias = None if self.bias is None else (self.bias * self.gain).to(x.dtype)
        if not self.down:
            return F.conv2d(x, weight, bias, padding=self.pad)
        if self.pad == 0:
            return F.conv2d(downsampled_by_two(x), weight, bias)
        return F.conv2d(low_passed(x, pad=2), weight, bias, stride=2)


def modulated_conv(x: Tensor, weight: Tensor, style: Tensor, *, up: bool = False) -> Tensor:
    """3 x 3 convolution whose weights are scaled by each image's style, then renormalized.

    Weights per image are never computed: the input is scaled instead of the weights (equation 1),
    and the output is divided by the norm that each image's weights would have (equation 3), which
    is a matrix product.

    Shapes: x (N, I, H, W), weight (O, I, 3, 3), style (N, I) -> (N, O, H, W), or twice the side.
    Source: K2020, equations 1 and 3; section 2.2 shows that this is the same.
    """
    y = conv_of_scaled(x, weight, style, up=up)
    return y * demodulation(weight, style)[:, :, None, None]


def conv_of_scaled(x: Tensor, weight: Tensor, style: Tensor, *, up: bool) -> Tensor:
    """Convolution of `modulated_conv` before renormalization.

    `up` is a transposed convolution with stride 2, to 2H + 1, then the filter.
    """
    x = x * style[:, :, None, None]
    if not up:
        return F.conv2d(x, weight, padding=1)
    # A transposed convolution takes (I, O, K, K) and rotates the kernel by 180 degrees.
    x = F.conv_transpose2d(x, weight.flip(2, 3).transpose(0, 1), stride=2)
    return low_passed(x, pad=1, gain=4)


def demodulation(weight: Tensor, style: Tensor) -> Tensor:
    """(N, O): reciprocal norm of the weights of each image and output channel."""
    squares = weight.square().sum(dim=(2, 3))
    return (F.linear(style.square(), squares) + EPSILON).rsqrt()


def within_one(x: Tensor, over: int | tuple[int, ...]) -> Tensor:
    """`x` divided by its largest magnitude along the dimensions `over`.

    Source: Karras et al. 2020 (arXiv:2006.06676), appendix F, "mixed-precision".
    """
    return x / x.abs().amax(dim=over, keepdim=True)


class StyledConv(nn.Module):
    """Layer of the generator: modulated convolution, noise, bias, leaky ReLU.

    Shapes: x (N, I, H, W), w (N, Z), noise (N, 1, H, W) of the output's size.
    Source: K2020, figure 2c and d.
    """

    def __init__(self, inputs: int, outputs: int, latent_size: int, *, up: bool = False) -> None:
        super().__init__()
        self.affine = Dense(latent_size, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.scale = 1 / math.sqrt(inputs * 9)
        self.up = up

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        style = self.affine(w)
        weight: Tensor = self.weight
        if x.dtype == torch.float16:  # the norm cancels these factors
            style, weight = within_one(style, 1), within_one(weight, (1, 2, 3))
        style = style * self.scale  # the scale of equalized weights, where it is cheaper
        norm = (GAIN * demodulation(weight, style)).to(x.dtype)
        x = conv_of_scaled(x, weight.to(x.dtype), style.to(x.dtype), up=self.up)
        bias = (GAIN * self.bias).to(x.dtype)
        x = torch.addcmul(bias[:, None, None], x, norm[:, :, None, None])
        strength = (GAIN * self.noise_strength).to(x.dtype)
        return leaky(torch.addcmul(x, noise.to(x.dtype), strength))


class ToImage(nn.Module):
    """Feature maps -> image channels: a modulated 1 x 1 convolution, not renormalized.

    Shapes: x (N, I, H, W), w (N, Z) -> (N, C, H, W).
    Source: K2020, section 4.1, figure 7b ("tRGB").
    """

    def __init__(self, inputs: int, channels: int, latent_size: int) -> None:
        super().__init__()
        self.affine = Dense(latent_size, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(channels, inputs))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.scale = 1 / math.sqrt(inputs)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        style = self.affine(w) * self.scale
        weight = self.weight * style[:, None, :]  # (N, C, I): few enough to make one per image
        y = precise(torch.bmm(weight.to(x.dtype), x.flatten(2))) + self.bias[:, None]
        return y.view(len(x), -1, *x.shape[2:])
