"""Layers against slow plain versions of their equations."""

import math

import pytest
import torch
import torch.nn.functional as F

from idhray.gan.layers import leaky
from idhray.gan.stylegan2.layers import (
    Dense,
    StyledConv,
    StyleGan2Conv,
    ToImage,
    demodulation,
    downsampled_by_two,
    low_passed,
    modulated_conv,
    transposed_by_convolution,
    upsampled_by_two,
)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def zeros_between(x):
    """(N, C, H, W) -> (N, C, 2H - 1, 2W - 1)."""
    n, c, h, w = x.shape
    wide = x.new_zeros(n, c, 2 * h - 1, 2 * w - 1)
    wide[:, :, ::2, ::2] = x
    return wide


def grouped_conv(x, weight, style, *, up=False):
    """Equations 1 and 3 as they stand: every image has its own weights; one group per image."""
    n = len(x)
    own = weight * style[:, None, :, None, None]
    own = own / (own.square().sum((2, 3, 4), keepdim=True) + 1e-8).sqrt()
    if up:
        x = zeros_between(x)
    y = F.conv2d(x.flatten(0, 1)[None], own.flatten(0, 1), padding=2 if up else 1, groups=n)
    y = y.view(n, -1, *y.shape[2:])
    if not up:
        return y
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype)
    kernel = torch.outer(taps, taps) / 64 * 4
    smooth = [[F.conv2d(c[None, None], kernel[None, None], padding=1)[0, 0] for c in z] for z in y]
    return torch.stack([torch.stack(z) for z in smooth])


def test_demodulated_weights_have_unit_norm():
    """Equation 3, for every image and output channel."""
    weight, style = torch.randn(5, 4, 3, 3), torch.randn(6, 4) * 3
    own = (
        weight * style[:, None, :, None, None] * demodulation(weight, style)[..., None, None, None]
    )

    torch.testing.assert_close(own.flatten(2).norm(dim=2), torch.ones(6, 5))


@pytest.mark.parametrize("up", [False, True])
def test_scaled_inputs_are_the_same_as_weights_of_ones_own(up):
    """Values and all three gradients; the way of the equations needs N times the weights."""
    x = torch.randn(3, 4, 5, 5, dtype=torch.double, requires_grad=True)
    weight = torch.randn(6, 4, 3, 3, dtype=torch.double, requires_grad=True)
    style = torch.randn(3, 4, dtype=torch.double, requires_grad=True)
    fast, plain = (f(x, weight, style, up=up) for f in (modulated_conv, grouped_conv))
    towards = torch.randn_like(plain)
    fast_slopes, plain_slopes = (
        torch.autograd.grad((y * towards).sum(), (x, weight, style)) for y in (fast, plain)
    )

    assert fast.shape == (3, 6, 10, 10) if up else (3, 6, 5, 5)
    torch.testing.assert_close(fast, plain)
    for a, b in zip(fast_slopes, plain_slopes, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("up", [False, True])
def test_a_layer_is_convolution_noise_bias_and_activation_in_that_order(up):
    """The folded gain sqrt(2) and scale of the weights change nothing."""
    layer = StyledConv(4, 6, 3, up=up)
    torch.nn.init.normal_(layer.bias)
    torch.nn.init.constant_(layer.noise_strength, 0.7)
    x, w = torch.randn(2, 4, 5, 5), torch.randn(2, 3)
    side = 10 if up else 5
    noise = torch.randn(2, 1, side, side)
    style = w @ layer.affine.weight.T / math.sqrt(3) + 1
    y = grouped_conv(x, layer.weight / math.sqrt(4 * 9), style, up=up)
    y = y + 0.7 * noise + layer.bias[:, None, None]

    torch.testing.assert_close(layer(x, w, noise), math.sqrt(2) * F.leaky_relu(y, 0.2))


def test_image_channels_are_modulated_but_not_renormalized():
    """Section 4.1; each image has its own 1 x 1 weights, so twice the style is twice the image."""
    layer = ToImage(5, 2, 3)
    torch.nn.init.normal_(layer.bias)
    x, w = torch.randn(3, 5, 4, 4), torch.randn(3, 3)
    style = layer.affine(w)
    plain = [
        F.conv2d(
            x[i : i + 1], (layer.weight * style[i] / math.sqrt(5))[..., None, None], layer.bias
        )
        for i in range(3)
    ]

    torch.testing.assert_close(layer(x, w), torch.cat(plain))


def test_resizing_keeps_constants_away_from_the_border():
    """The filter's sum is 1, and 4 where three of four pixels are zeros put between."""
    x = torch.full((1, 2, 8, 8), 3.0)

    for y in (upsampled_by_two(x), downsampled_by_two(x), low_passed(x, pad=1)):
        inside = y[..., 1:-1, 1:-1]
        torch.testing.assert_close(inside, torch.full_like(inside, 3.0))


def test_doubling_is_four_times_the_adjoint_of_halving():
    """<downsampled_by_two(y), x> = <y, upsampled_by_two(x)> / 4 for all x, y."""
    x, y = torch.randn(2, 3, 5, 5).double(), torch.randn(2, 3, 10, 10).double()

    torch.testing.assert_close(
        (downsampled_by_two(y) * x).sum(), (y * upsampled_by_two(x)).sum() / 4
    )


def test_doubling_puts_zeros_between_and_filters():
    """[1, 3, 3, 1] by [1, 3, 3, 1], over 64, times 4; pixel centers stay where they are."""
    x = torch.zeros(1, 1, 4, 4)
    x[0, 0, 1, 2] = 1
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])

    expected = torch.zeros(8, 8)
    expected[1:5, 3:7] = torch.outer(taps, taps) / 16
    torch.testing.assert_close(upsampled_by_two(x)[0, 0], expected)


def test_learning_rate_multiplier_changes_steps_not_values():
    """Stored over lr, used times lr: like a layer without, but gradients are lr times as large."""
    slow = Dense(4, 3, gain=2.0, bias=0.5, lr=0.01)
    plain = Dense(4, 3, gain=2.0, bias=0.5)
    plain.load_state_dict({k: v * 0.01 for k, v in slow.state_dict().items()})
    x = torch.randn(5, 4)
    for layer in (slow, plain):
        layer(x).square().sum().backward()

    torch.testing.assert_close(slow(x), plain(x))
    torch.testing.assert_close(slow(x), 2 * (x @ (slow.weight * 0.01).T / 2 + 0.5))
    torch.testing.assert_close(slow.weight.grad, 0.01 * plain.weight.grad)


@pytest.mark.parametrize("kernel", [1, 3])
def test_down_convolution_filters_then_takes_every_other(kernel):
    """Against the filter at full size, in the middle of the image."""
    conv = StyleGan2Conv(3, 5, kernel, gain=1.5, down=True)
    torch.nn.init.normal_(conv.bias)
    x = torch.randn(2, 3, 8, 8)
    weight = conv.weight * 1.5 / math.sqrt(3 * kernel**2)
    plain = (
        F.conv2d(low_passed(x, pad=2), weight, padding=kernel // 2) + 1.5 * conv.bias[:, None, None]
    )
    # Between pixels 2k and 2k + 1 lies the center of output k, in `low_passed` at 2k + 1.
    plain = plain[..., 1::2, 1::2][..., :4, :4]

    assert conv(x).shape == (2, 5, 4, 4)
    torch.testing.assert_close(conv(x), plain)


@pytest.mark.parametrize(
    "resized",
    [
        pytest.param(lambda x: low_passed(x, pad=1, gain=4), id="low_passed"),
        pytest.param(downsampled_by_two, id="downsampled_by_two"),
        pytest.param(upsampled_by_two, id="upsampled_by_two"),
    ],
)
@pytest.mark.parametrize("side", [4, 5])
def test_filters_are_differentiable_twice(resized, side):
    """R1 goes through them; their own backward pass is the transpose."""
    x = torch.randn(2, 3, side, side, dtype=torch.double, requires_grad=True)

    assert torch.autograd.gradcheck(resized, x)
    assert torch.autograd.gradgradcheck(resized, x)


def test_large_weights_and_styles_do_not_overflow_float16():
    """Its largest number is 65504; the norm takes their size out again."""
    torch.manual_seed(0)
    layer = StyledConv(64, 32, 16, up=True)
    x, w, noise = torch.randn(2, 64, 8, 8), torch.randn(2, 16), torch.randn(2, 1, 16, 16)
    with torch.no_grad():
        layer.weight *= 3e3
        layer.affine.weight *= 3e3
        exact, half = layer(x, w, noise), layer(x.half(), w, noise)

    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), exact, atol=2e-2, rtol=2e-2)


def test_feature_maps_in_float16_stay_within_bounds():
    """A sum over them is to stay finite; other types are left as they are."""
    x = torch.tensor([-30000.0, -1.0, 100.0, 30000.0])

    assert leaky(x.half()).tolist() == pytest.approx([-362, -0.2, 100, 362], rel=1e-3)
    assert leaky(x).tolist() == pytest.approx([-6000, -0.2, 100, 30000])


@pytest.mark.parametrize(
    ("stride", "pad", "side"), [(1, 1, 9), (1, 2, 8), (2, 1, 8), (2, 1, 9)], ids=str
)
def test_the_transpose_for_gpus_is_the_transposed_convolution(stride, pad, side):
    """The same numbers by other kernels, and the adjoint: <A x, y> = <x, A' y>."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64)
    weight = torch.outer(taps, taps).expand(3, 1, 4, 4)
    x = torch.randn(2, 3, side, side, dtype=torch.float64)
    smaller = F.conv2d(x, weight, None, stride, pad, groups=3)
    y = torch.randn_like(smaller)
    extra = side - ((y.shape[2] - 1) * stride - 2 * pad + 4)
    back = transposed_by_convolution(y, weight, stride, pad, side)

    expected = F.conv_transpose2d(y, weight, None, stride, pad, extra, groups=3)
    torch.testing.assert_close(back, expected, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close((smaller * y).sum(), (x * back).sum())
