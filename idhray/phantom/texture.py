"""Random textures: smooth maps for the layout of a slide, and tileable fibers and grains."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from idhray.chance import generator

SlideMap = NDArray[np.float32]  # (height, width), about zero mean and unit SD


def smooth_field(random: np.random.Generator, shape: tuple[int, int], feature: float) -> SlideMap:
    """Noise of `shape` (height, width) with blobs of about `feature` pixels."""
    height, width = shape
    rows, columns = (max(int(np.ceil(side / feature)), 1) + 3 for side in shape)
    small = random.standard_normal((rows, columns), dtype=np.float32)
    # In a box of fixed cell size, blobs are equally wide on any slide and lie off the border.
    box = (1, 1, 1 + width / feature, 1 + height / feature)
    image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC, box=box)
    # Bicubic interpolation between the nodes lowers the SD to 0.7.
    return np.asarray(image, dtype=np.float32) * np.float32(1.4)


def repeated(
    tile: SlideMap, rows: tuple[int, int], columns: int, shift: tuple[int, int]
) -> SlideMap:
    """Tile repeated over rows rows[0]..rows[1] and `columns` columns, shifted."""
    y = (np.arange(*rows) + shift[0]) % tile.shape[0]
    x = (np.arange(columns) + shift[1]) % tile.shape[1]
    return np.asarray(np.take(tile[y], x, axis=1))


@lru_cache(maxsize=8)
def fibers(side_px: int, mpp: float) -> SlideMap:
    """Tileable felt of fibers, (side_px, side_px): the neuropil between the nuclei."""
    random = generator(0, "fibres", side_px)
    angles = np.arange(6) * np.pi / 6
    weights = [_filtered(random, side_px, 12 / mpp, 12 / mpp, 0) for _ in angles]
    shares = np.exp(1.5 * np.stack(weights))
    felt = sum(
        share * _filtered(random, side_px, 3.5 / mpp, 0.5 / mpp, angle)
        for share, angle in zip(shares / shares.sum(axis=0), angles, strict=True)
    )
    sponge = _filtered(random, side_px, 2.2 / mpp, 1.6 / mpp, 0)
    gaps = np.clip(sponge - 1.1, 0, 0.7)  # pale holes between the fibers
    return _standard(_standard(np.asarray(felt)) - 0.4 * sponge - 4 * gaps)


@lru_cache(maxsize=8)
def grains(side_px: int, mpp: float) -> SlideMap:
    """Tileable grains, (side_px, side_px): the debris of necrosis."""
    random = generator(0, "grains", side_px)
    fine = _filtered(random, side_px, 0.8 / mpp, 0.8 / mpp, 0)
    return _standard(fine + 0.9 * _filtered(random, side_px, 3 / mpp, 3 / mpp, 0))


def _filtered(
    random: np.random.Generator, side: int, along: float, across: float, angle: float
) -> SlideMap:
    """Tileable white noise, blurred by a Gaussian of two SDs in pixels at an `angle`."""
    fy, fx = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]
    u = fx * np.cos(angle) + fy * np.sin(angle)
    v = fy * np.cos(angle) - fx * np.sin(angle)
    response = np.exp(-2 * np.pi**2 * ((u * along) ** 2 + (v * across) ** 2))
    response[0, 0] = 0  # zero mean
    noise = np.fft.rfft2(random.standard_normal((side, side)))
    return _standard(np.fft.irfft2(noise * response, s=(side, side)))


def _standard(field: NDArray[np.float64] | SlideMap) -> SlideMap:
    return np.asarray((field - field.mean()) / field.std(), dtype=np.float32)
