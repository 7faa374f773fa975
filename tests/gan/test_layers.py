"""Layers against slow plain versions of their equations."""

import math

import pytest
import torch
import torch.nn.functional as F

from idhray.gan.layers import EqualConv, EqualLinear, minibatch_std, pixel_norm


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def test_equalized_weights_are_scaled_by_he_constant():
    """Section 4.1: the weight used is the stored one times sqrt(2 / fan-in)."""
    linear, conv = EqualLinear(5, 3), EqualConv(5, 3)
    x, image = torch.randn(2, 5), torch.randn(2, 5, 6, 6)

    torch.testing.assert_close(linear(x), x @ (linear.weight * math.sqrt(2 / 5)).T)
    plain = F.conv2d(image, conv.weight * math.sqrt(2 / 45), padding=1)
    torch.testing.assert_close(conv(image), plain)


def test_equalized_layers_keep_variance_of_rectified_input():
    """He's gain: input whose mean square is 1/2 (a ReLU's) gives output of variance 1."""
    x = F.relu(torch.randn(500, 300))

    assert EqualLinear(300, 2000)(x).var().item() == pytest.approx(1, abs=0.1)


def test_up_convolution_equals_doubling_then_convolving():
    """The 4 x 4 transposed kernel is only a cheaper way, at the borders too."""
    conv = EqualConv(3, 5, resize="up")
    torch.nn.init.normal_(conv.bias)
    x = torch.randn(2, 3, 4, 6)
    doubled = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    plain = F.conv2d(doubled, conv.weight * conv.scale, conv.bias, padding=1)

    torch.testing.assert_close(conv(x), plain)


def test_down_convolution_equals_convolving_then_averaging():
    """The 4 x 4 kernel of stride 2 is only a cheaper way, at the borders too."""
    conv = EqualConv(3, 5, resize="down")
    torch.nn.init.normal_(conv.bias)
    x = torch.randn(2, 3, 8, 6)
    plain = F.avg_pool2d(F.conv2d(x, conv.weight * conv.scale, conv.bias, padding=1), 2)

    torch.testing.assert_close(conv(x), plain)


def test_pixel_norm_gives_each_pixel_mean_square_one():
    """Section 4.2: b = a / sqrt(mean(a^2) + 1e-8), by pixel."""
    x = torch.randn(2, 7, 3, 3) * 5
    y = pixel_norm(x)

    a = x[1, :, 2, 0]
    torch.testing.assert_close(y[1, :, 2, 0], a / math.sqrt(sum(v * v for v in a.tolist()) / 7))


def test_minibatch_std_is_that_of_each_group_of_neighbors():
    """Section 3, in plain loops: std over the group at each place, then the mean of all places."""
    x = torch.randn(8, 2, 3, 3)
    y = minibatch_std(x, 4)

    assert y.shape == (8, 3, 3, 3)
    torch.testing.assert_close(y[:, :2], x)
    for first in (0, 4):
        group = x[first : first + 4]
        places = [
            group[:, c, i, j].std(correction=0)
            for c in range(2)
            for i in range(3)
            for j in range(3)
        ]
        expected = torch.stack(places).mean().expand(4, 3, 3)
        torch.testing.assert_close(y[first : first + 4, 2], expected)


def test_minibatch_std_of_a_workers_share_is_that_of_the_whole_batch():
    """Contiguous shares in whole groups: two workers see the statistic that one would."""
    x = torch.randn(8, 2, 3, 3)

    torch.testing.assert_close(minibatch_std(x, 4)[4:], minibatch_std(x[4:], 4), rtol=0, atol=0)


def test_minibatch_std_of_equal_images_has_a_gradient():
    """A collapsed generator must not give NaN: sqrt has no slope at 0."""
    x = torch.ones(4, 2, 3, 3, requires_grad=True)
    minibatch_std(x, 4).sum().backward()

    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
