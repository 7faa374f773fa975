"""Look-ups against grid_sample and SciPy, and the filters around them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import fft, ndimage

from idhray.gan.augment.warp import bilinear, copied, doubled, halved, linear, shift, warped
from tests.gan.augmented import chance, noise, smooth


def any_maps(count, dtype=torch.float32):
    """Affine maps that lead well outside the image."""
    places = torch.eye(3, dtype=dtype).repeat(count, 1, 1)
    places[:, :2, :2] += 0.5 * torch.randn(count, 2, 2, generator=chance(1), dtype=dtype)
    places[:, :2, 2] = 9 * torch.randn(count, 2, generator=chance(2), dtype=dtype)
    return places


def test_four_taps_equal_grid_sample():
    """Pixel centers, edges that reflect, order of x and y."""
    images, places = noise(5, 2, 12, 12), any_maps(5)
    to_unit = places[:, :2].clone()
    to_unit[:, :, 2] *= 2 / 12
    grid = F.affine_grid(to_unit, images.shape, align_corners=False)
    expected = F.grid_sample(
        images, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )

    torch.testing.assert_close(bilinear(images, places), expected, rtol=0, atol=1e-5)


def test_four_taps_equal_scipy():
    """A library that shares no code with the first."""
    images, places = noise(1, 1, 9, 9, dtype=torch.double), any_maps(1, torch.double)
    by_rows = places[0, :2, :2].flip(0, 1).numpy()
    offset = 4 + places[0, :2, 2].flip(0).numpy() - by_rows @ [4, 4]
    expected = ndimage.affine_transform(
        images[0, 0].numpy(), by_rows, offset, order=1, mode="reflect"
    )

    np.testing.assert_allclose(bilinear(images, places)[0, 0], expected, atol=1e-12)


def test_whole_numbers_copy_pixels_bit_for_bit():
    """Mirrored in a padded copy, as NumPy pads."""
    image = noise(1, 2, 6, 6)
    padded = np.pad(image[0].numpy(), ((0, 0), (9, 9), (9, 9)), mode="symmetric")
    moved = copied(image, shift(torch.tensor([8.0]), torch.tensor([-3.0])))

    assert np.array_equal(moved[0].numpy(), padded[:, 6:12, 17:23])


def test_doubling_and_halving_change_nearly_nothing():
    """Of each frequency, 0.5 % by rows and as much by columns; of mirrored images a cosine
    transform holds them apart."""
    images = noise(16, 16, dtype=torch.double)
    again = halved(doubled(images[None, None]))[0, 0]
    kept = fft.dctn(again.numpy()) / fft.dctn(images.numpy())

    assert doubled(images[None, None]).shape == (1, 1, 32, 32)
    np.testing.assert_allclose(kept, 1, atol=0.0101)


def test_filters_keep_constants_up_to_the_edge():
    """A border would tell the discriminator which images were warped."""
    image = torch.full((1, 1, 8, 8), -0.7)

    torch.testing.assert_close(doubled(image), torch.full((1, 1, 16, 16), -0.7))
    torch.testing.assert_close(halved(image), torch.full((1, 1, 4, 4), -0.7))


@pytest.mark.parametrize("change", [doubled, halved])
def test_filters_turn_with_the_image(change):
    """A filter that leans to one side would shift what was flipped first."""
    image = noise(1, 1, 12, 12, dtype=torch.double)

    torch.testing.assert_close(change(image.flip(3)), change(image).flip(3))
    torch.testing.assert_close(change(image.mT), change(image).mT)


def test_doubling_puts_pixels_at_quarters():
    """Between pixels k and k + 1 lie two new ones, at 1/4 and 3/4."""
    side = 32
    places = (torch.arange(2 * side) + 0.5) / 2 - 0.5
    wave = torch.cos(2 * torch.pi * 3 * (torch.arange(side) + 0.5) / side).expand(1, 1, side, side)
    expected = torch.cos(2 * torch.pi * 3 * (places + 0.5) / side)

    assert (doubled(wave)[0, 0, 7] - expected).abs().max() < 0.01


@pytest.mark.parametrize("period_px", [2.0, 2.2, 2.5])
def test_shrinking_lets_little_alias(period_px):
    """At six tenths of their size such stripes are too fine to be seen; gray is right."""
    stripes = torch.cos(2 * torch.pi / period_px * torch.arange(64)).expand(1, 1, 64, 64)
    factor, zero = torch.tensor([1 / 0.6]), torch.zeros(1)
    places = linear(factor, zero, zero, factor)

    assert warped(stripes, places).std() < 0.32 * bilinear(stripes, places).std()


def test_small_shifts_do_not_blur():
    """Half a pixel: detail at half the finest frequency keeps its contrast."""
    side = 32
    wave = torch.cos(torch.pi / 2 * torch.arange(side)).expand(1, 1, side, side)
    places = shift(torch.tensor([0.5]), torch.tensor([0.0]))
    inside = slice(8, -8)

    def contrast(image):
        return image[..., inside].square().mean() / wave[..., inside].square().mean()

    assert contrast(bilinear(wave, places)) < 0.55
    assert contrast(warped(wave, places)) > 0.8


def test_a_warp_of_a_smooth_image_is_that_of_splines():
    """Up to what either interpolation leaves out."""
    image, places = smooth(32), torch.eye(3).repeat(1, 1, 1).double()
    places[0, :2] = torch.tensor([[0.8, 0.5, 2.3], [-0.4, 0.9, -1.1]])
    by_rows = places[0, :2, :2].flip(0, 1).numpy()
    offset = 15.5 + places[0, :2, 2].flip(0).numpy() - by_rows @ [15.5, 15.5]
    expected = ndimage.affine_transform(
        image[0, 0].numpy(), by_rows, offset, order=3, mode="reflect"
    )

    np.testing.assert_allclose(warped(image, places)[0, 0], expected, atol=0.02)
