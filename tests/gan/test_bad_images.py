"""Images that a GAN cannot be trained on, and those that only seem so."""

import numpy as np
import pytest
import torch

from idhray.errors import ConfigError
from idhray.gan.checkpoint import restore, save
from idhray.gan.trainer import train
from tests.gan.made_up import PGGAN, STYLEGAN2, all_values, ignore, noise_images, start

BOTH = pytest.mark.parametrize(
    "settings", [pytest.param(PGGAN, id="pggan"), pytest.param(STYLEGAN2, id="stylegan2")]
)


@BOTH
@pytest.mark.parametrize(
    ("images", "message"),
    [
        pytest.param(np.zeros((9, 8, 8, 3), np.float32), "uint8, got .* float32", id="float"),
        pytest.param(np.full((9, 8, 8, 3), np.nan), "uint8, got .* float64", id="NaN"),
        pytest.param(np.zeros((9, 8, 8), np.uint8), r"got \(9, 8, 8\)", id="no channels"),
        pytest.param(np.zeros((9, 8, 8, 1), np.uint8), "images have 1 channels", id="one channel"),
        pytest.param(np.zeros((9, 8, 16, 3), np.uint8), "16 x 8 px", id="not square"),
        pytest.param(np.zeros((9, 12, 12, 3), np.uint8), "12 x 12 px", id="another size"),
        pytest.param(np.zeros((0, 8, 8, 3), np.uint8), r"got \(0, 8, 8, 3\)", id="none"),
    ],
)
def test_unfit_images_are_refused_in_one_line(settings, images, message):
    """Of a run, before any network is made."""
    with pytest.raises(ConfigError, match=message) as caught:
        start(settings, images=images)

    assert "\n" not in str(caught.value)


@BOTH
@pytest.mark.parametrize("count", [1, 3])
def test_fewer_images_than_a_batch_are_shown_more_often(tmp_path, settings, count):
    """Batches are of 8; a training that is broken off goes on alike."""
    unbroken, first, second = (start(settings, images=noise_images(count)) for _ in range(3))
    train(unbroken, ignore, until_kimg=0.08)
    train(first, ignore, until_kimg=0.04)
    save(first, str(tmp_path))
    restore(second, str(tmp_path))
    train(second, ignore, until_kimg=0.08)

    assert all_values(unbroken).isfinite().all()
    assert torch.equal(all_values(second), all_values(unbroken))
