"""One image seen in many ways: reduced to its details, turned, shifted, and laid over another.

Letters: N images, C channels, H height, W width, h and w of a part, D = C * h * w.
"""

import functools

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from torch import Tensor

Images = NDArray[np.uint8]  # (N, H, W, C)

SHIFT_FRACTION = 1 / 16
"""The largest shift that is tried, of the side: 16 px of 256."""
FLAT = 0.5
"""Gray levels of standard deviation under which an image is constant, and like no other."""


def detail(images: NDArray[np.generic], side_px: int, band_px: tuple[float, float]) -> Tensor:
    """(N, C, h, w) float32: averaged down to `side_px` at most, then a difference of Gaussians.

    Args:
        images: (N, H, W, C), any numbers.
        side_px: Sides that are smaller stay as they are.
        band_px: Standard deviations of the narrow and of the broad Gaussian, at that size.
    """
    x = torch.tensor(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()
    narrow, broad = (
        _smoothing(x.shape[2], side_px, sigma) @ x @ _smoothing(x.shape[3], side_px, sigma).T
        for sigma in band_px
    )
    return narrow - broad


@functools.lru_cache(maxsize=64)
def _smoothing(side: int, side_px: int, sigma_px: float) -> Tensor:
    """(h, side): the matrix that averages a row down to `side_px` at most and blurs it.

    As matrices because torch's convolutions by large kernels of one channel took ten times longer.
    """
    averaged = F.adaptive_avg_pool1d(torch.eye(side)[:, None], min(side_px, side))
    reach = int(3 * sigma_px + 0.5)
    weights = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * sigma_px**2))
    padded = F.pad(averaged, (reach, reach), mode="replicate")
    return F.conv1d(padded, (weights / weights.sum()).view(1, 1, -1))[:, 0].T.contiguous()


def turned(images: Tensor, symmetry: int) -> Tensor:
    """(..., H, W) in one of its 8 symmetries: bit 0 mirrors, 1 flips, 2 transposes."""
    images = images.flip(-1) if symmetry & 1 else images
    images = images.flip(-2) if symmetry & 2 else images
    return images.transpose(-1, -2) if symmetry & 4 else images


def offsets(images: Tensor) -> list[tuple[int, int]]:
    """Every shift (y, x) that is tried on images (..., H, W) of this size."""
    y, x = _margins(images)
    return [(dy, dx) for dy in range(-y, y + 1) for dx in range(-x, x + 1)]


def shifted(images: Tensor) -> Tensor:
    """(offsets, N, D): unit vectors of all of (N, C, H, W) but for a margin, at every shift."""
    n, c, h, w = images.shape
    y, x = _margins(images)
    parts = images.unfold(2, h - 2 * y, 1).unfold(3, w - 2 * x, 1)
    return unit(parts.permute(2, 3, 0, 1, 4, 5).reshape((2 * y + 1) * (2 * x + 1), n, c, -1))


def centred(images: Tensor) -> Tensor:
    """(N, D): those of no shift."""
    y, x = _margins(images)
    height, width = images.shape[-2:]
    return unit(images[:, :, y : height - y, x : width - x].flatten(2))


def _margins(images: Tensor) -> tuple[int, int]:
    height, width = images.shape[-2:]
    return int(height * SHIFT_FRACTION), int(width * SHIFT_FRACTION)


def unit(parts: Tensor) -> Tensor:
    """(..., C, h * w) less its channels' means, as (..., D) of length 1, or 0 where constant."""
    vectors = (parts - parts.mean(-1, keepdim=True)).flatten(-2)
    length = vectors.norm(dim=-1, keepdim=True)
    flat = length <= FLAT * vectors.shape[-1] ** 0.5
    return torch.where(flat, torch.zeros_like(vectors), vectors / length.clamp_min(1e-12))


def overlap(image: Tensor, reference: Tensor, dy: int, dx: int) -> tuple[Tensor, Tensor]:
    """What both (C, H, W) show, pixel (y + dy, x + dx) of the first on (y, x) of the second."""
    _, height, width = reference.shape
    y0, y1, x0, x1 = max(0, -dy), height - max(0, dy), max(0, -dx), width - max(0, dx)
    return image[:, y0 + dy : y1 + dy, x0 + dx : x1 + dx], reference[:, y0:y1, x0:x1]


def ssim(image: Tensor, reference: Tensor) -> float:
    """Structural similarity of two (C, h, w), mean and contrast of the first made the second's.

    Channels that are constant in both are left out: they would count as alike. 0 where all are.

    Source: Wang et al. 2004, doi 10.1109/TIP.2003.819861, by scikit-image's defaults.
    """
    side = min(reference.shape[1:])
    if side < 3:
        return 0.0
    seen = (image.std((1, 2)) > FLAT) | (reference.std((1, 2)) > FLAT)
    if not seen.any():
        return 0.0
    a, b = image[seen].double(), reference[seen].double()
    a = (a - a.mean((1, 2), keepdim=True)) / a.std((1, 2), keepdim=True).clamp_min(FLAT)
    a = a * b.std((1, 2), keepdim=True) + b.mean((1, 2), keepdim=True)
    window = min(7, side - (side + 1) % 2)
    return float(
        structural_similarity(
            a.numpy(), b.numpy(), channel_axis=0, data_range=255.0, win_size=window
        )
    )
