"""Similarity of two images at full size, one laid over the other.

Letters: C channels, H height, W width, h and w of the overlap.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from idhray.fidelity.copies.views import FLAT, band, downsampled, lengths, overlap, unit_vectors

FINE_PX, FINE_BAND_PX = 64, (1.0, 4.0)


def best_shift(image: Tensor, reference: Tensor, shift: tuple[float, float]) -> tuple[int, int]:
    """Best shift in pixels within half a pixel, at 64 px, of a coarse shift.

    The correlation at each shift is one dot product: with zeros around the images, the product over
    the overlap equals the product of the flattened images, one of them read from an offset on.

    Args:
        image: (H, W, C), numbers.
        reference: (H, W, C).
        shift: Coarse shift of the image's content, y and x, as fractions of the sides.
    """
    height, width, _ = image.shape
    rows, columns = (
        _nearby_shifts(s, side) for s, side in zip(shift, (height, width), strict=True)
    )
    if len(rows) == len(columns) == 1:
        return rows[0], columns[0]
    top, left = (max(abs(s[0]), abs(s[-1])) for s in (rows, columns))
    a, b = (x.permute(2, 0, 1).float() for x in (image, reference))
    a, b = (x - x.mean((1, 2), keepdim=True) for x in (a, b))
    padded = F.pad(a, (left, left, top, top)).flatten()
    padded_reference = F.pad(b, (0, 2 * left, 0, 2 * top)).flatten()
    step, reach = width + 2 * left, len(padded_reference) - 2 * top * (width + 2 * left) - 2 * left
    starts = [(top + dy) * step + left + dx for dy in rows for dx in columns]
    products = torch.stack(
        [torch.dot(padded[s : s + reach], padded_reference[:reach]) for s in starts]
    )
    image_masks, reference_masks = (
        (_overlap_mask(sign, rows, height, a.device), _overlap_mask(sign, columns, width, a.device))
        for sign in (1, -1)
    )
    counts = image_masks[0].sum(1)[:, None] * image_masks[1].sum(1)
    masked = (a, image_masks), (b, reference_masks)
    sums_a, sums_b = (row @ x @ column.T for x, (row, column) in masked)
    squares_a, squares_b = (row @ x.square() @ column.T for x, (row, column) in masked)
    covariance = products.view(counts.shape) - (sums_a * sums_b / counts).sum(0)
    scores = covariance / lengths(sums_a, squares_a, counts) / lengths(sums_b, squares_b, counts)
    row, column = divmod(int(scores.argmax()), len(columns))
    return rows[row], columns[column]


def _nearby_shifts(shift: float, side: int) -> list[int]:
    reach = -(-side // (2 * FINE_PX)) if side > FINE_PX else 0
    return list(range(round(shift * side) - reach, round(shift * side) + reach + 1))


def _overlap_mask(sign: int, shifts: Sequence[int], side: int, device: torch.device) -> Tensor:
    """(shifts, side): 1 for rows or columns of the shifted image that overlap the other image."""
    positions = torch.arange(side, device=device)
    displacements = sign * torch.tensor(shifts, device=device)[:, None]
    return ((positions >= displacements) & (positions < side + displacements)).float()


def correlation(image: Tensor, reference: Tensor, dy: int, dx: int) -> float:
    """Correlation r of the details of two (H, W, C) in their overlap at a shift of whole pixels."""
    overlapping = torch.stack(overlap(image, reference, dy, dx))
    a, b = unit_vectors(band(downsampled(overlapping, FINE_PX), FINE_BAND_PX).flatten(2))
    return float((a * b).sum().clamp(-1, 1))


def ssim(image: Tensor, reference: Tensor, dy: int, dx: int) -> float:
    """Structural similarity of the overlap of two (H, W, C), at equal mean and contrast.

    Channels that are constant in both are left out, because they would count as alike. The result
    is 0 if all channels are constant.

    Source: Wang et al. 2004, doi 10.1109/TIP.2003.819861, with scikit-image's defaults: windows of
    7 px, equally weighted, inside the image. scikit-image is slower by a factor of four.
    """
    a, b = (x.permute(2, 0, 1).float() for x in overlap(image, reference, dy, dx))
    window = min(7, *(side - (side + 1) % 2 for side in b.shape[1:]))
    if window < 3:
        return 0.0
    mean = b.mean((1, 2), keepdim=True)
    a, b = a - a.mean((1, 2), keepdim=True), b - mean
    image_sd, reference_sd = (_deviation(x) for x in (a, b))
    varying = ((image_sd > FLAT) | (reference_sd > FLAT)).flatten()
    if not varying.any():
        return 0.0
    a, b, mean = (a / image_sd.clamp_min(FLAT) * reference_sd)[varying], b[varying], mean[varying]
    means_a, means_b, squares_a, squares_b, products = _local_means(
        torch.stack([a, b, a * a, b * b, a * b]), window
    )
    sample = window**2 / (window**2 - 1)
    variances = sample * (squares_a - means_a**2 + squares_b - means_b**2)
    covariance = sample * (products - means_a * means_b)
    light, contrast = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    means_a, means_b = means_a + mean, means_b + mean
    similarity = (2 * means_a * means_b + light) * (2 * covariance + contrast)
    similarity /= (means_a**2 + means_b**2 + light) * (variances + contrast)
    return float(similarity.mean())


def _deviation(x: Tensor) -> Tensor:
    """(C, 1, 1): standard deviations of (C, h, w) with means of 0; `std` is 40 times slower."""
    count = x.shape[-2] * x.shape[-1]
    deviation: Tensor = x.flatten(1).norm(dim=1).view(-1, 1, 1) / (count - 1) ** 0.5
    return deviation


def _local_means(x: Tensor, window: int) -> Tensor:
    """(..., h - window + 1, w - window + 1): means of (..., h, w) over square windows."""
    for axis in (-1, -2):
        count = x.shape[axis] - window + 1
        total = x.narrow(axis, 0, count).clone()
        for start in range(1, window):
            total += x.narrow(axis, start, count)
        x = total / window
    return x
