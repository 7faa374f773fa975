"""How alike two images are at full size, one laid over the other.

Letters: C channels, H height, W width, h and w of what both show.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from idhray.fidelity.copies.views import FLAT, band, downsampled, lengths, overlap, unit_vectors

FINE_PX, FINE_BAND_PX = 64, (1.0, 4.0)


def best_shift(image: Tensor, reference: Tensor, shift: tuple[float, float]) -> tuple[int, int]:
    """The shift in pixels that is best within half a pixel at 64 px of this one.

    Every shift's correlation is one dot product: with zeros around the images the product of what
    both show is that of the two as vectors, one of them read from another place on.

    Args:
        image: (H, W, C), numbers.
        reference: (H, W, C).
        shift: Of the image's content, y and x, as fractions of the sides.
    """
    height, width, _ = image.shape
    rows, columns = (_around(s, side) for s, side in zip(shift, (height, width), strict=True))
    if len(rows) == len(columns) == 1:
        return rows[0], columns[0]
    top, left = (max(abs(s[0]), abs(s[-1])) for s in (rows, columns))
    a, b = (x.permute(2, 0, 1).float() for x in (image, reference))
    a, b = (x - x.mean((1, 2), keepdim=True) for x in (a, b))
    wide = F.pad(a, (left, left, top, top)).flatten()
    fixed = F.pad(b, (0, 2 * left, 0, 2 * top)).flatten()
    step, reach = width + 2 * left, len(fixed) - 2 * top * (width + 2 * left) - 2 * left
    starts = [(top + dy) * step + left + dx for dy in rows for dx in columns]
    products = torch.stack([torch.dot(wide[s : s + reach], fixed[:reach]) for s in starts])
    mine, theirs = (
        (_lies_on(sign, rows, height, a.device), _lies_on(sign, columns, width, a.device))
        for sign in (1, -1)
    )
    counts = mine[0].sum(1)[:, None] * mine[1].sum(1)
    sums_a, sums_b = (y @ x @ z.T for x, (y, z) in ((a, mine), (b, theirs)))
    squares_a, squares_b = (y @ x.square() @ z.T for x, (y, z) in ((a, mine), (b, theirs)))
    covariance = products.view(counts.shape) - (sums_a * sums_b / counts).sum(0)
    scores = covariance / lengths(sums_a, squares_a, counts) / lengths(sums_b, squares_b, counts)
    row, column = divmod(int(scores.argmax()), len(columns))
    return rows[row], columns[column]


def _around(shift: float, side: int) -> list[int]:
    reach = -(-side // (2 * FINE_PX)) if side > FINE_PX else 0
    return list(range(round(shift * side) - reach, round(shift * side) + reach + 1))


def _lies_on(sign: int, shifts: Sequence[int], side: int, device: torch.device) -> Tensor:
    """(shifts, side): 1 where a row or column of the shifted image lies on one of the other's."""
    places = torch.arange(side, device=device)
    moved = sign * torch.tensor(shifts, device=device)[:, None]
    return ((places >= moved) & (places < side + moved)).float()


def correlation(image: Tensor, reference: Tensor, dy: int, dx: int) -> float:
    """r of the details of two (H, W, C) where both show something: exact where shifts are whole."""
    both = torch.stack(overlap(image, reference, dy, dx))
    a, b = unit_vectors(band(downsampled(both, FINE_PX), FINE_BAND_PX).flatten(2))
    return float((a * b).sum().clamp(-1, 1))


def ssim(image: Tensor, reference: Tensor, dy: int = 0, dx: int = 0) -> float:
    """Structural similarity of what two (H, W, C) both show, at equal mean and contrast.

    Channels that are constant in both are left out: they would count as alike. 0 where all are.

    Source: Wang et al. 2004, doi 10.1109/TIP.2003.819861, by scikit-image's defaults: windows of
    7 px, of equal weights, that lie in the image; scikit-image is slower by a factor of four.
    """
    a, b = (x.permute(2, 0, 1).float() for x in overlap(image, reference, dy, dx))
    window = min(7, *(side - (side + 1) % 2 for side in b.shape[1:]))
    if window < 3:
        return 0.0
    mean = b.mean((1, 2), keepdim=True)
    a, b = a - a.mean((1, 2), keepdim=True), b - mean
    wide, spread = (_deviation(x) for x in (a, b))
    seen = ((wide > FLAT) | (spread > FLAT)).flatten()
    if not seen.any():
        return 0.0
    a, b, mean = (a / wide.clamp_min(FLAT) * spread)[seen], b[seen], mean[seen]
    means_a, means_b, squares_a, squares_b, products = _local_means(
        torch.stack([a, b, a * a, b * b, a * b]), window
    )
    sample = window**2 / (window**2 - 1)
    variances = sample * (squares_a - means_a**2 + squares_b - means_b**2)
    covariance = sample * (products - means_a * means_b)
    light, contrast = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    means_a, means_b = means_a + mean, means_b + mean
    found = (2 * means_a * means_b + light) * (2 * covariance + contrast)
    found /= (means_a**2 + means_b**2 + light) * (variances + contrast)
    return float(found.mean())


def _deviation(x: Tensor) -> Tensor:
    """(C, 1, 1) of (C, h, w) with means of 0; by `norm`, as `std` takes forty times as long."""
    count = x.shape[-2] * x.shape[-1]
    found: Tensor = x.flatten(1).norm(dim=1).view(-1, 1, 1) / (count - 1) ** 0.5
    return found


def _local_means(x: Tensor, window: int) -> Tensor:
    """(..., h - window + 1, w - window + 1) of (..., h, w)."""
    for axis in (-1, -2):
        count = x.shape[axis] - window + 1
        total = x.narrow(axis, 0, count).clone()
        for start in range(1, window):
            total += x.narrow(axis, start, count)
        x = total / window
    return x
