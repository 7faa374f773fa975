"""Random textures: smooth fields for the layout of a slide, and tileable fibres and grains."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from idhray.chance import generator

Field = NDArray[np.float32]  # (height, width), about zero mean and unit SD


def smooth_field(random: np.random.Generator, shape: tuple[int, int], feature: float) -> Field:
    """Noise of `shape` (height, width) whose blobs are about `feature` pixels wide."""
    height, width = shape
    rows, columns = (max(int(np.ceil(side / feature)), 1) + 3 for side in shape)
    small = random.standard_normal((rows, columns), dtype=np.float32)
    # A box of fixed cell size: blobs are as wide on any slide, and lie off the border.
    box = (1, 1, 1 + width / feature, 1 + height / feature)
    image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC, box=box)
    # Bicubic between the nodes lowers the SD to 0.7.
    return np.asarray(image, dtype=np.float32) * np.float32(1.4)


def stretched(tile: Field, rows: tuple[int, int], columns: int, shift: tuple[int, int]) -> Field:
    """`tile` repeated over rows rows[0]..rows[1] and `columns` columns, shifted."""
    y = (np.arange(*rows) + shift[0]) % tile.shape[0]
    x = (np.arange(columns) + shift[1]) % tile.shape[1]
    return np.asarray(np.take(tile[y], x, axis=1))


@lru_cache(maxsize=8)
def fibres(side_px: int, mpp: float) -> Field:
    """A tileable felt of fibres, (side_px, side_px): the neuropil between the nuclei."""
    random = generator(0, "fibres", side_px)
    angles = np.arange(6) * np.pi / 6
    weights = [_filtered(random, side_px, 12 / mpp, 12 / mpp, 0) for _ in angles]
    shares = np.exp(1.5 * np.stack(weights))
    felt = sum(
        share * _filtered(random, side_px, 3.5 / mpp, 0.5 / mpp, angle)
        for share, angle in zip(shares / shares.sum(axis=0), angles, strict=True)
    )
    sponge = _filtered(random, side_px, 2.2 / mpp, 1.6 / mpp, 0)
    gaps = np.clip(sponge - 1.1, 0, 0.7)  # pale holes between the fibres
    return _standard(_standard(np.asarray(felt)) - 0.4 * sponge - 4 * gaps)


@lru_cache(maxsize=8)
def grains(side_px: int, mpp: float) -> Field:
    """Tileable grains, (side_px, side_px): the debris of necrosis."""
    random = generator(0, "grains", side_px)
    fine = _filtered(random, side_px, 0.8 / mpp, 0.8 / mpp, 0)
    return _standard(fine + 0.9 * _filtered(random, side_px, 3 / mpp, 3 / mpp, 0))


def _filtered(
    random: np.random.Generator, side: int, along: float, across: float, angle: float
) -> Field:
    """White noise blurred by a Gaussian of two SDs in pixels, turned by `angle`; tileable."""
    fy, fx = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]
    u = fx * np.cos(angle) + fy * np.sin(angle)
    v = fy * np.cos(angle) - fx * np.sin(angle)
    response = np.exp(-2 * np.pi**2 * ((u * along) ** 2 + (v * across) ** 2))
    response[0, 0] = 0  # zero mean
    noise = np.fft.rfft2(random.standard_normal((side, side)))
    return _standard(np.fft.irfft2(noise * response, s=(side, side)))


def _standard(field: NDArray[np.float64] | Field) -> Field:
    return np.asarray((field - field.mean()) / field.std(), dtype=np.float32)
