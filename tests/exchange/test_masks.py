"""Masks among images."""

import numpy as np
import pytest
from skimage.draw import disk

from idhray.exchange.masks import is_mask
from tests.exchange.made import picture


def nuclei(count, *, values, side=256, radius=12):
    """Gray mask of discs; the n-th has the value `values[n % len(values)]`."""
    mask = np.zeros((side, side), np.uint8)
    random = np.random.default_rng(0)
    for n in range(count):
        center = random.integers(radius, side - radius, 2)
        mask[disk(center, radius, shape=mask.shape)] = values[n % len(values)]
    return mask


@pytest.mark.parametrize(
    "mask",
    [
        pytest.param(nuclei(20, values=[255]), id="0 and 255"),
        pytest.param(nuclei(20, values=[1]), id="0 and 1, black to the eye"),
        pytest.param(nuclei(60, values=[*range(1, 61)]), id="a number for each nucleus"),
        pytest.param(255 - nuclei(20, values=[255]), id="on white"),
        pytest.param(nuclei(1, values=[7], radius=5), id="one small object"),
        pytest.param(np.eye(64, dtype=np.uint8) * 255, id="a line of single pixels"),
        pytest.param(np.stack([nuclei(20, values=[255, 128])] * 3, -1), id="stored as RGB"),
        pytest.param(
            np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0]], np.uint8)[nuclei(20, values=[1, 2])],
            id="classes in colors",
        ),
    ],
)
def test_a_mask_is_recognized(mask):
    """410 masks lay beside the slices of a public data set, one for each."""
    assert is_mask(mask)


@pytest.mark.parametrize("name", ["a/P1_3_mask.png", "masks/P1_3.png", "P1-3-GT.png", "P1_seg.tif"])
def test_an_empty_mask_is_told_from_an_empty_image_by_its_name(name):
    """A slice without tumor has a mask without tumor."""
    empty = np.zeros((64, 64), np.uint8)

    assert is_mask(empty, name)
    assert not is_mask(empty, "a/P1_3.png")
    assert not is_mask(empty, "unmasked/segal_3.png")


def brain(side=256, share=0.4):
    """A slice: noise in a disc on exact zero."""
    image = np.zeros((side, side), np.uint8)
    place = disk((side // 2, side // 2), side * np.sqrt(share / np.pi), shape=image.shape)
    image[place] = np.random.default_rng(1).normal(120, 10, image.shape)[place].astype(np.uint8)
    return image


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(picture(0, 256), id="noise"),
        pytest.param(picture(0, 256, gray=True), id="gray noise"),
        pytest.param(brain(), id="a brain"),
        pytest.param(brain(share=0.01), id="the top of a brain"),
        pytest.param(np.full((64, 64, 3), 255, np.uint8), id="glass of one value"),
        pytest.param(np.zeros((64, 64), np.uint8), id="an empty slice"),
    ],
)
def test_an_image_is_none(image):
    """A false alarm would lose a patient's images."""
    assert not is_mask(image)
