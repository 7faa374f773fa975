"""Fingerprints of images: digests by which an image is recognized whatever its patient is called.

Two columns of every table of images hold them, both null for an image that is nearly constant, such
as glass or air, which many patients share:

pixels_blake3      first 8 bytes of BLAKE3 of the size and the decoded RGB pixels, as a number
perceptual_hash    signs of the 63 lowest frequencies of the gray image (DCT), the same under
                   quarter turns and mirrors; near-duplicates differ in few of its bits

A synthetic image also carries a mark in its PNG file, by which it is recognized among real ones.
"""

import base64
import functools
import zlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from idhray.errors import TableError
from idhray.images import RGB, decode
from idhray.tables import PERCEPTUAL_HASH, PIXELS_DIGEST

MIN_SD = 1.0
"""Standard deviation in gray levels below which an image is nearly constant."""
MIN_BLOCK_SD = 1.0
"""The same for the 32 x 32 block means that the perceptual hash is made of."""
LUMA = np.array((0.299, 0.587, 0.114))
"""Weights of ITU-R BT.601."""
SIDE, FREQUENCIES = 32, 8
MARK = b"idhray-synthetic"
"""Keyword of the PNG text that marks a synthetic image."""

Coefficients = NDArray[np.float64]  # (8, 8), of the DCT
Hashes = NDArray[np.uint64]


class Fingerprint(NamedTuple):
    """Both digests of one image; None if it is nearly constant, or no image at all."""

    pixels: int | None
    perceptual: int | None


NO_FINGERPRINT = Fingerprint(None, None)


def fingerprint_of_file(data: bytes) -> Fingerprint:
    """Fingerprint of an encoded image; none for bytes that are no image."""
    try:
        return fingerprint(decode(data))
    except TableError:
        return NO_FINGERPRINT


def columns_of(data: bytes) -> dict[str, int | None]:
    """Values of the columns of fingerprints for an encoded image."""
    pixels, perceptual = fingerprint_of_file(data)
    return {PIXELS_DIGEST: pixels, PERCEPTUAL_HASH: perceptual}


def packed_digests(digests: Iterable[int]) -> str:
    """Sorted digests of images as text: base64 of 8 bytes each, big endian."""
    values = np.array(sorted(set(digests)), dtype=">u8")
    return base64.b64encode(values.tobytes()).decode()


def unpacked_digests(text: str) -> Hashes:
    """Sorted digests from the output of `packed_digests`."""
    return np.frombuffer(base64.b64decode(text), dtype=">u8").astype(np.uint64)


def is_marked_synthetic(data: bytes) -> bool:
    """True for a PNG file that `synthesize` marked; the mark stands before the pixels."""
    return data.startswith(b"\x89PNG") and MARK in data[:512]


def fingerprint(image: RGB) -> Fingerprint:
    """Fingerprint of decoded pixels, (height, width, 3) uint8."""
    if image[::4, ::4, 1].std() < MIN_SD and image.reshape(-1, 3).std(axis=0).max() < MIN_SD:
        return NO_FINGERPRINT
    content = blake3(f"{image.shape[0]} {image.shape[1]} ".encode())
    content.update(np.ascontiguousarray(image).data)
    return Fingerprint(int.from_bytes(content.digest(length=8), "big"), _perceptual_hash(image))


def _perceptual_hash(image: RGB) -> int | None:
    """Smallest of the hashes of an image's 8 forms; None without contrast at this size."""
    blocks = _block_means(image)
    if blocks.std() < MIN_BLOCK_SD:
        return None
    cosines = _cosines()
    return int(_hashes_of_forms(cosines @ blocks @ cosines.T).min())


def _block_means(image: RGB) -> Coefficients:
    """(32, 32): mean luma of the blocks of an image; those of a mirror image are mirrored."""
    height, width = image.shape[:2]
    step = height // SIDE
    if height == width == step * SIDE and step <= 16:
        rows = _sums(image.reshape(SIDE, step, -1), step)
        sums = _sums(rows.reshape(SIDE * SIDE, step, 3), step)
        return np.asarray((sums @ (LUMA / step**2)).reshape(SIDE, SIDE))
    return np.asarray(_averaging(height) @ (image @ LUMA) @ _averaging(width).T)


def _sums(values: NDArray[Any], step: int) -> NDArray[np.uint16]:
    """Sums over the second of three axes. 16 bits hold those of 256 pixels, at twice the speed."""
    total = np.zeros((values.shape[0], values.shape[2]), np.uint16)
    for k in range(step):
        total += values[:, k]
    return total


@functools.lru_cache(maxsize=64)
def _averaging(side: int) -> Coefficients:
    """(32, side): matrix of the means of 32 equal blocks; the same when read from both ends."""
    edges = np.linspace(0, side, SIDE + 1)
    pixels = np.arange(side)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights = np.clip(overlap, 0, None)
    weights = (weights + weights[::-1, ::-1]) / 2
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


@functools.lru_cache(maxsize=1)
def _cosines() -> Coefficients:
    """(8, 32): the lowest frequencies of the DCT of type II."""
    places = (2 * np.arange(SIDE) + 1) * np.pi / (2 * SIDE)
    return np.asarray(np.cos(np.arange(FREQUENCIES)[:, None] * places))


def _hashes_of_forms(coefficients: Coefficients) -> Hashes:
    """(8,): hash of each form of an image. A mirror turns the sign of odd frequencies."""
    odd = np.where(np.arange(FREQUENCIES) % 2, -1.0, 1.0)
    mirrored = [coefficients * rows[:, None] * columns for rows, columns in _sign_pairs(odd)]
    forms = np.stack([form for each in mirrored for form in (each, each.T)])
    bits = forms > 1e-6 * np.abs(forms).max()
    bits[:, 0, 0] = False  # brightness
    return np.packbits(bits.reshape(8, 64), axis=1).view(">u8").ravel().astype(np.uint64)


def _sign_pairs(odd: NDArray[np.float64]) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    even = np.ones(FREQUENCIES)
    return [(rows, columns) for rows in (even, odd) for columns in (even, odd)]


def forms_of_hashes(hashes: Hashes) -> Hashes:
    """(8, N): hashes of the 8 forms of N images, from their perceptual hashes (N,).

    Noise may decide which form has the smallest hash, so near-duplicates are compared in all forms.
    """
    bits = np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1)
    grids = bits.reshape(-1, FREQUENCIES, FREQUENCIES).astype(bool)
    odd = np.arange(FREQUENCIES) % 2 == 1
    forms = []
    for rows, columns in ((0, 0), (0, 1), (1, 0), (1, 1)):
        flips = (rows * odd)[:, None] ^ (columns * odd)[None, :]
        flipped = grids ^ flips.astype(bool)
        flipped[:, 0, 0] = False
        forms += [flipped, flipped.transpose(0, 2, 1)]
    stacked = np.ascontiguousarray(np.stack(forms)).reshape(8, -1, 64)
    return np.packbits(stacked, axis=2).view(">u8")[..., 0].astype(np.uint64)


def marked_synthetic(png: bytes, generator: str) -> bytes:
    """The PNG file of a synthetic image with a mark that names its generator."""
    chunk = b"tEXt" + MARK + b"\0" + generator.encode("latin-1", "replace")
    crc = zlib.crc32(chunk).to_bytes(4, "big")
    end_of_header = 8 + 25  # signature, and the chunk IHDR
    length = (len(chunk) - 4).to_bytes(4, "big")
    return png[:end_of_header] + length + chunk + crc + png[end_of_header:]
