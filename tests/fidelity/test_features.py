"""Extractors: batches, names, sizes, and what they refuse."""

import numpy as np
import pytest
import torch
from torch import nn

from idhray.errors import ConfigError, TableError
from idhray.fidelity.features import Extractor, RandomNet, module_features, random_features, resized

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 20, 24, 3), dtype=np.uint8)


def channel_means() -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def test_features_of_an_image_do_not_depend_on_its_batch():
    """Else the order of a table would move FID."""
    extractor = random_features()
    whole = extractor(IMAGES)
    small = Extractor(name="small", embed=extractor.embed, batch_size=2)

    assert whole.shape == (5, 240)
    assert whole.dtype == torch.float64
    torch.testing.assert_close(small(IMAGES), whole, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(extractor(IMAGES[3:4]), whole[3:4], rtol=1e-5, atol=1e-5)


def test_a_network_in_training_mode_is_frozen_and_left_alone():
    """Batch normalization by the batch would mix images; training on must not change figures."""
    module = nn.Sequential(nn.BatchNorm2d(3), channel_means())
    extractor = module_features(module, name="own", size_px=8)
    before = extractor(IMAGES)
    module[0].weight.data.fill_(5)

    assert module.training
    torch.testing.assert_close(extractor(IMAGES), before)
    torch.testing.assert_close(extractor(IMAGES[:1]), before[:1])


def test_pixels_are_normalized_as_asked():
    """(pixel / 255 - mean) / std, by channel, in the order R, G, B."""
    image = np.zeros((1, 4, 4, 3), np.uint8)
    image[..., 0], image[..., 1] = 255, 51
    extractor = module_features(
        channel_means(), name="m", size_px=4, mean=(0.5, 0.1, 0.2), std=(0.5, 0.1, 0.4)
    )

    torch.testing.assert_close(extractor(image), torch.tensor([[1.0, 1.0, -0.5]]).double())


def test_gray_images_are_three_equal_channels():
    """Networks of photographs want three."""
    extractor = random_features()

    torch.testing.assert_close(extractor(IMAGES[..., :1]), extractor(IMAGES[..., [0, 0, 0]]))


def test_the_name_says_what_it_is():
    """A figure without its network means nothing."""
    assert random_features().name == "random conv net, seed 0, 96 px"
    own = module_features(channel_means(), name="resnet18 of a.pth", size_px=224)
    assert own.name == "resnet18 of a.pth, 224 px"


def test_random_networks_come_again_by_their_seed():
    """Whatever else drew random numbers meanwhile; and they leave torch's generator alone."""
    pixels = torch.linspace(-1, 1, 3 * 64).view(1, 3, 8, 8).repeat(1, 1, 2, 2)
    one = random_features()(IMAGES)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    two = random_features()(IMAGES)

    assert torch.equal(one, two)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.allclose(RandomNet(0)(pixels), RandomNet(1)(pixels))


def test_shrinking_averages():
    """One bright line in eight: without antialiasing it would vanish or fill the image."""
    x = torch.zeros(1, 1, 64, 64)
    x[..., ::8] = 240
    small = resized(x, 8)

    torch.testing.assert_close(small[..., 2:6, 2:6], torch.full((1, 1, 4, 4), 30.0), atol=6, rtol=0)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES / 255, "float64"),
        (IMAGES[0], r"\(20, 24, 3\)"),
        (IMAGES[..., :2], r"\(5, 20, 24, 2\)"),
        (IMAGES[:0], r"\(0, 20, 24, 3\)"),
    ],
)
def test_what_is_no_stack_of_images_is_refused(images, message):
    """The message says what was found."""
    with pytest.raises(TableError, match=message):
        random_features()(images)


def test_features_that_are_no_numbers_are_refused():
    """A diverged classifier gives NaN; a FID of NaN would tell nobody why."""
    broken = Extractor(name="broken net", embed=lambda x: x.flatten(1) / 0)

    with pytest.raises(TableError, match="broken net: 5 of 5 images"):
        broken(IMAGES)


def test_a_network_with_maps_at_its_end_is_refused():
    """timm gives them if asked for no pooling."""
    maps = module_features(nn.Identity(), name="maps", size_px=8)

    with pytest.raises(ConfigError, match=r"maps, 8 px: returns \(5, 3, 8, 8\)"):
        maps(IMAGES)


@pytest.mark.parametrize(
    "wrong", [{"name": " "}, {"size_px": 0}, {"mean": (0.5,)}, {"std": (1, 0, 1)}]
)
def test_settings_of_an_extractor_are_checked(wrong):
    """Before any image is read."""
    with pytest.raises(ConfigError):
        module_features(nn.Identity(), **({"name": "n", "size_px": 8} | wrong))
