"""Views of an image: reduced to its details, under a symmetry, shifted, and laid over another.

Letters: N images, C channels, H height, W width, S shifts, h and w of a part, D = C * h * w.
"""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

SHIFT_FRACTION = 1 / 16
"""Largest shift that is tried, as a fraction of the side: 16 px of 256."""
FLAT = 0.5
"""Standard deviation in gray levels below which an image is constant and like no other."""


def downsampled(images: Tensor, side_px: int) -> Tensor:
    """(N, C, h, w) float32: images (N, H, W, C) averaged down to `side_px` at most."""
    n, height, width, channels = images.shape
    step = height // side_px
    if images.dtype == torch.uint8 and height == width == step * side_px and 1 < step <= 8:
        return _sums(_sums(images.short(), step, 1), step, 2).permute(0, 3, 1, 2) / step**2
    x = images.float()
    if height > side_px:  # as a matrix product, which reduces all channels without copying
        x = _averaging(height, side_px, x.device) @ x.reshape(n, height, -1)
        x = x.reshape(n, -1, width, channels)
    x = x.permute(0, 3, 1, 2)
    return x @ _averaging(width, side_px, x.device).T if width > side_px else x.contiguous()


def _sums(x: Tensor, step: int, axis: int) -> Tensor:
    """Sums of each `step` neighbors in 16 bits: up to 64 gray values fit, at 8 times the speed."""
    parts = [x[(slice(None),) * axis + (slice(k, None, step),)] for k in range(step)]
    total = parts[0].clone()
    for part in parts[1:]:
        total += part
    return total


def band(images: Tensor, band_px: tuple[float, float]) -> Tensor:
    """(N, C, h, w): difference of the images blurred by Gaussians of these standard deviations."""
    rows, columns = images.shape[-2:]
    narrow, broad = band_px
    device = images.device
    across = torch.cat([_blurring(columns, s, device).T for s in (narrow, broad)], 1)
    down = torch.cat([_blurring(rows, narrow, device), -_blurring(rows, broad, device)], 1)
    return down @ torch.cat((images @ across).split(columns, -1), -2)


@functools.lru_cache(maxsize=256)
def _averaging(side: int, side_px: int, device: torch.device) -> Tensor:
    """(h, side): matrix that averages a row down to `side_px` at most."""
    averaged = F.adaptive_avg_pool1d(torch.eye(side)[:, None], min(side_px, side))
    return averaged[:, 0].T.contiguous().to(device)


@functools.lru_cache(maxsize=256)
def _blurring(side: int, sigma_px: float, device: torch.device) -> Tensor:
    """(side, side): matrix that blurs a row, whose end values continue beyond the ends.

    torch's convolutions with large kernels of one channel took ten times longer.
    """
    reach = int(3 * sigma_px + 0.5)
    weights = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * sigma_px**2))
    padded = F.pad(torch.eye(side)[:, None], (reach, reach), mode="replicate")
    blurred = F.conv1d(padded, (weights / weights.sum()).view(1, 1, -1))
    return blurred[:, 0].T.contiguous().to(device)


def apply_symmetry(images: Tensor, symmetry: int) -> Tensor:
    """(..., H, W) under one of 8 symmetries: bit 0 mirrors, 1 flips, 2 transposes."""
    images = images.flip(-1) if symmetry & 1 else images
    images = images.flip(-2) if symmetry & 2 else images
    return images.transpose(-1, -2) if symmetry & 4 else images


def undo_symmetry(images: Tensor, symmetry: int) -> Tensor:
    """Inverse of `apply_symmetry`, for (..., H, W)."""
    images = images.transpose(-1, -2) if symmetry & 4 else images
    return apply_symmetry(images, symmetry & 3)


def offsets(height: int, width: int) -> list[tuple[int, int]]:
    """All shifts (y, x) that are tried on images of this size."""
    y, x = margins(height, width)
    return [(dy, dx) for dy in range(-y, y + 1) for dx in range(-x, x + 1)]


def offsets_after_symmetry(height: int, width: int, symmetry: int) -> list[int]:
    """Index in `offsets` of the original's shift, for each shift of an image under a symmetry."""
    shifts = offsets(height, width)
    positions = {shift: position for position, shift in enumerate(shifts)}
    mapped = []
    for dy, dx in shifts:
        y, x = (dx, dy) if symmetry & 4 else (dy, dx)
        mapped.append(positions[(-y if symmetry & 2 else y, -x if symmetry & 1 else x)])
    return mapped


def windows(images: Tensor) -> Tensor:
    """(N, S, D): windows of (N, C, H, W) without a margin, at every shift."""
    n, _, height, width = images.shape
    y, x = margins(height, width)
    parts = images.unfold(2, height - 2 * y, 1).unfold(3, width - 2 * x, 1)
    return parts.permute(0, 2, 3, 1, 4, 5).reshape(n, (2 * y + 1) * (2 * x + 1), -1)


def window_lengths(images: Tensor) -> Tensor:
    """(N, S): lengths of the windows minus their channels' means, infinite for constant windows."""
    height, width = images.shape[-2:]
    y, x = margins(height, width)
    rows, columns = (
        torch.ones(2 * margin + 1, side, device=images.device).triu().tril(side - 1 - 2 * margin)
        for margin, side in ((y, height), (x, width))
    )
    return lengths(
        rows @ images @ columns.T,
        rows @ images.square() @ columns.T,
        torch.tensor(float((height - 2 * y) * (width - 2 * x)), device=images.device),
    ).flatten(1)


def lengths(sums: Tensor, squares: Tensor, counts: Tensor) -> Tensor:
    """(..., A, B): lengths minus the channels' means, infinite where flat.

    Args:
        sums: (..., C, A, B), sums of the values of each channel.
        squares: (..., C, A, B), sums of their squares.
        counts: Numbers of values, (A, B) or one number.
    """
    channels = sums.shape[-3]
    norms = (squares - sums.square() / counts).sum(-3).clamp_min(0).sqrt()
    flat = norms <= FLAT * (channels * counts).sqrt()
    return torch.where(flat, torch.full_like(norms, torch.inf), norms)


def centered(images: Tensor) -> Tensor:
    """(N, D): windows without a shift, as unit vectors."""
    height, width = images.shape[-2:]
    y, x = margins(height, width)
    return unit_vectors(images[:, :, y : height - y, x : width - x].flatten(2))


def margins(height: int, width: int) -> tuple[int, int]:
    """Largest shift, y and x."""
    return int(height * SHIFT_FRACTION), int(width * SHIFT_FRACTION)


def unit_vectors(parts: Tensor) -> Tensor:
    """(..., D): (..., C, h * w) minus its channels' means, scaled to length 1, or 0 if constant."""
    vectors = (parts - parts.mean(-1, keepdim=True)).flatten(-2)
    length = vectors.norm(dim=-1, keepdim=True)
    flat = length <= FLAT * vectors.shape[-1] ** 0.5
    return torch.where(flat, torch.zeros_like(vectors), vectors / length.clamp_min(1e-12))


def overlap(image: Tensor, reference: Tensor, dy: int, dx: int) -> tuple[Tensor, Tensor]:
    """Overlap of two (H, W, C): pixel (y + dy, x + dx) of the first is on (y, x) of the second."""
    height, width, _ = reference.shape
    y0, y1, x0, x1 = max(0, -dy), height - max(0, dy), max(0, -dx), width - max(0, dx)
    return image[y0 + dy : y1 + dy, x0 + dx : x1 + dx], reference[y0:y1, x0:x1]
