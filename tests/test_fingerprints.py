"""Fingerprints of single images."""

import io

import numpy as np
import pytest
from PIL import Image

from idhray.chance import generator
from idhray.fingerprints import (
    NO_FINGERPRINT,
    fingerprint,
    fingerprint_of_file,
    forms_of_hashes,
    is_marked_synthetic,
    marked_synthetic,
    packed_digests,
    unpacked_digests,
)
from idhray.images import decode, encode


def picture(number, side=64):
    """A smooth random RGB image with a little noise."""
    rng = generator(0, "picture", number)
    coarse = Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), np.float64)
    return (smooth + rng.normal(0, 2, smooth.shape)).clip(0, 255).astype(np.uint8)


def bits_between(first, second):
    """Bits in which two perceptual hashes differ, in the best of 8 symmetries."""
    forms = forms_of_hashes(np.array([first], np.uint64)).ravel()
    return int(np.bitwise_count(forms ^ np.uint64(second)).min())


@pytest.mark.parametrize("side", [256, 64, 50])
def test_turns_and_mirrors_change_the_digest_and_not_the_perceptual_hash(side):
    """A patch of a slide that was scanned the other way round is the same tissue."""
    image = picture(1, side)
    forms = [np.rot90(each, k) for each in (image, image[:, ::-1]) for k in range(4)]
    prints = [fingerprint(np.ascontiguousarray(form)) for form in forms]

    assert len({each.pixels for each in prints}) == 8
    assert len({each.perceptual for each in prints}) == 1


def test_the_perceptual_hash_survives_another_encoding_and_brightness():
    """Of 20 images, saved again as JPEG and brightened, all stay within 3 bits; others do not."""
    images = [picture(number) for number in range(20)]
    hashes = [fingerprint(image).perceptual for image in images]
    buffers = [io.BytesIO() for _ in images]
    for image, buffer in zip(images, buffers, strict=True):
        Image.fromarray(image).save(buffer, "JPEG", quality=60)
    again = [
        np.minimum(decode(buffer.getvalue()) * 0.9 + 5, 255).astype(np.uint8) for buffer in buffers
    ]
    near = [
        bits_between(a, fingerprint(image).perceptual)
        for a, image in zip(hashes, again, strict=True)
    ]
    others = [bits_between(a, b) for a in hashes for b in hashes if a != b]

    assert max(near) <= 3
    assert min(others) > 3


def test_the_digest_is_of_decoded_pixels():
    """PNG files of two compressions hold the same image."""
    image = picture(2)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=9)

    assert buffer.getvalue() != encode(image)
    assert fingerprint_of_file(buffer.getvalue()) == fingerprint_of_file(encode(image))
    assert fingerprint_of_file(encode(image)) == fingerprint(image)


def test_near_constant_images_and_broken_files_have_none():
    """Glass and air look alike in all patients."""
    flat = np.full((64, 64, 3), 244, np.uint8)
    flat[::2] += 1

    assert fingerprint(flat) == NO_FINGERPRINT
    assert fingerprint_of_file(b"no image") == NO_FINGERPRINT


def test_digests_are_packed_in_order_and_once():
    """Records hold 8 bytes for each image."""
    assert unpacked_digests(packed_digests([3, 2**64 - 1, 3, 1])).tolist() == [1, 3, 2**64 - 1]


def test_a_marked_image_is_the_same_image():
    """The mark tells of a synthetic image without a change of its pixels."""
    png = encode(picture(3))
    marked = marked_synthetic(png, "0123456789abcdef")

    assert is_marked_synthetic(marked)
    assert not is_marked_synthetic(png)
    assert (decode(marked) == decode(png)).all()
    assert Image.open(io.BytesIO(marked)).info == {"idhray-synthetic": "0123456789abcdef"}
