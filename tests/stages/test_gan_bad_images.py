"""Tables of images that are not alike, or of which nothing can be learned."""

import numpy as np
import pytest

from idhray.errors import TableError
from idhray.images import encode
from idhray.stages.gan_training.loop import images_to_learn
from idhray.table_parts import publish_table
from idhray.tables import PATCHES
from tests.gan.made_up import STYLEGAN2, noise_images


def table(folder, images):
    """A PATCHES table of (height, width[, channels]) uint8 images or encoded ones."""
    encoded = [one if isinstance(one, bytes) else encode(one) for one in images]
    rows = [
        {
            "patient": f"P{i}", "idh": "mutant", "split": "train", "slide": "s", "x_l0": i,
            "y_l0": 0, "size_l0": 8.0, "mpp": 1.0, "image": {"bytes": data, "path": None},
        }
        for i, data in enumerate(encoded)
    ]  # fmt: skip
    publish_table(f"{folder}/part-0.parquet", rows, PATCHES)
    return str(folder)


def test_gray_and_color_of_several_sizes_make_one_stack(tmp_path):
    """All in the size and channels of the GAN; gray is the same in each channel."""
    gray, small, large = noise_images(1)[0, ..., 0], noise_images(1, 4)[0], noise_images(1, 32)[0]
    found = images_to_learn(table(tmp_path, [gray, small, large]), "mutant", STYLEGAN2)

    assert found.images.shape == (3, 8, 8, 3)
    assert found.images.dtype == np.uint8
    np.testing.assert_array_equal(found.images[0], np.repeat(gray[..., None], 3, -1))
    boxes = large.reshape(8, 4, 8, 4, 3).mean((1, 3))
    assert np.abs(found.images[2] - boxes).max() <= 1


@pytest.mark.parametrize("value", [0, 128, 255])
def test_images_without_a_picture_are_refused(tmp_path, value):
    """A GAN would learn them, finite and useless; one that has a picture is enough."""
    flat = np.full((8, 8, 3), value, np.uint8)
    with pytest.raises(TableError, match=f"2 training images .* is {value}; there is nothing"):
        images_to_learn(table(tmp_path / "a", [flat, flat]), "mutant", STYLEGAN2)
    kept = images_to_learn(table(tmp_path / "b", [flat, noise_images(1)[0]]), "mutant", STYLEGAN2)

    assert len(kept.images) == 2


def test_a_broken_image_is_one_line(tmp_path):
    """Not a decoder's traceback out of a worker."""
    with pytest.raises(TableError, match="an image of 20 bytes cannot be decoded") as caught:
        images_to_learn(table(tmp_path, [encode(noise_images(1)[0])[:20]]), "mutant", STYLEGAN2)

    assert "\n" not in str(caught.value)
