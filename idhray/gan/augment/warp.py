"""Resampling of images through an affine map, differentiable twice on every torch and device.

Only gathers and elementwise products are used: `F.grid_sample` cannot be differentiated twice on
every supported torch, and matrix products may round (TF32, autocast), which shifts whole pixels.
Beyond its edges an image is mirrored.

Shapes: N images, C channels, S side in pixels. A map (N, 3, 3) leads from pixels of the result
to pixels of the source; x to the right, y down, (0, 0) is the center of the image.
"""

import torch
from torch import Tensor

# Half of a symmetric low-pass filter of 12 taps, from the center outwards. Karras et al. 2020
# (arXiv:2006.06676, appendix B) take the orthogonal wavelet sym6, which is asymmetric, so a flip
# would change it. This one is ours: it has three zeros at the Nyquist frequency and, among such
# filters, the smallest sum of the energy above 0.7 of that frequency and 100 times the squared
# deviations from orthogonality. Doubling and halving the size change no frequency of a row by more
# than 0.5 %.
_HALF = (0.963299, 0.191133, -0.18257, -0.005137, 0.042651, -0.009376)
_EARLY = (_HALF[5], _HALF[3], _HALF[1], _HALF[0], _HALF[2], _HALF[4])
_LATE = _EARLY[::-1]
_WHOLE = tuple(tap / 2 for tap in _HALF[::-1] + _HALF)


def product(first: Tensor, second: Tensor) -> Tensor:
    """(N, 3, 3) matrix products without the rounding of matmul in TF32."""
    return (first[:, :, :, None] * second[:, None, :, :]).sum(dim=2)


def linear(xx: Tensor, xy: Tensor, yx: Tensor, yy: Tensor) -> Tensor:
    """(N, 3, 3) linear maps [[xx, xy], [yx, yy]], each entry (N,)."""
    zeros, ones = torch.zeros_like(xx), torch.ones_like(xx)
    return torch.stack([xx, xy, zeros, yx, yy, zeros, zeros, zeros, ones], dim=1).view(-1, 3, 3)


def shift(x: Tensor, y: Tensor) -> Tensor:
    """(N, 3, 3) maps that add (x, y), each (N,)."""
    zeros, ones = torch.zeros_like(x), torch.ones_like(x)
    return torch.stack([ones, zeros, x, zeros, ones, y, zeros, zeros, ones], dim=1).view(-1, 3, 3)


def copied(images: Tensor, places: Tensor) -> Tensor:
    """(N, C, S, S) pixels at `places`, a map to whole pixels."""
    x, y = _source(places, images.shape[-1])
    return _gathered(images, x.round().long(), y.round().long())


def warped(images: Tensor, places: Tensor) -> Tensor:
    """(N, C, S, S) at `places`, resampled at twice the size between two low-pass filters.

    So shrinking to a half does not alias, and small shifts do not blur as bilinear resampling does.
    """
    finer = torch.cat([places[:, :, :2], 2 * places[:, :, 2:]], dim=2)  # shifts in half pixels
    return halved(bilinear(doubled(images), finer))


def bilinear(images: Tensor, places: Tensor) -> Tensor:
    """(N, C, S, S) at `places`, interpolated between four pixels."""
    side = images.shape[-1]
    x, y = _source(places, side)
    left, top = x.floor(), y.floor()
    x0, y0 = left.long(), top.long()
    x1, y1 = (x0 + 1).clamp(max=side - 1), (y0 + 1).clamp(max=side - 1)
    right_part, lower_part = (x - left)[:, None], (y - top)[:, None]
    upper = _between(_gathered(images, x0, y0), _gathered(images, x1, y0), right_part)
    lower = _between(_gathered(images, x0, y1), _gathered(images, x1, y1), right_part)
    return _between(upper, lower, lower_part)


def _between(first: Tensor, second: Tensor, part: Tensor) -> Tensor:
    return first + (second - first) * part


def _source(places: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """x and y, (N, S, S) in 0..S - 1 from the upper left pixel's center, mirrored at the edges."""
    from_center = torch.arange(side, device=places.device, dtype=places.dtype) - (side - 1) / 2
    x, y = from_center[None, None, :], from_center[None, :, None]
    columns, rows = places[:, 0, :, None, None], places[:, 1, :, None, None]
    source = (row[:, 0] * x + row[:, 1] * y + row[:, 2] + side / 2 for row in (columns, rows))
    source_x, source_y = (_mirrored_place(place, side) for place in source)
    return source_x, source_y


def _mirrored_place(place: Tensor, side: int) -> Tensor:
    """Position 0..S - 1 of a place counted from the edge, as if mirror images tiled the plane."""
    place = place.remainder(2 * side)
    return (torch.minimum(place, 2 * side - place) - 0.5).clamp(0, side - 1)


def _gathered(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(N, C, S, S): pixels (x, y) of every channel; x, y (N, S, S) int64."""
    _, channels, side, _ = images.shape
    index = (y * side + x).flatten(1)[:, None].expand(-1, channels, -1)
    return images.flatten(2).gather(2, index).view(images.shape)


def doubled(images: Tensor) -> Tensor:
    """(N, C, S, S) -> (N, C, 2S, 2S), S 3 or more."""
    for dim in (2, 3):
        length, padded = images.shape[dim], _mirrored(images, dim, 3)
        early = _weighted(padded, dim, _EARLY, length)
        late = _weighted(padded.narrow(dim, 1, length + 5), dim, _LATE, length)
        images = torch.stack([early, late], dim=dim + 1).flatten(dim, dim + 1)
    return images


def halved(images: Tensor) -> Tensor:
    """(N, C, 2S, 2S) -> (N, C, S, S), S 3 or more."""
    for dim in (2, 3):
        length = images.shape[dim] // 2
        pairs = _mirrored(images, dim, 5).unflatten(dim, (length + 5, 2))
        early, late = pairs.unbind(dim + 1)
        first = _weighted(early, dim, _WHOLE[::2], length)
        images = first + _weighted(late, dim, _WHOLE[1::2], length)
    return images


def _mirrored(images: Tensor, dim: int, pad: int) -> Tensor:
    length = images.shape[dim]
    before, after = images.narrow(dim, 0, pad), images.narrow(dim, length - pad, pad)
    return torch.cat([before.flip(dim), images, after.flip(dim)], dim=dim)


def _weighted(images: Tensor, dim: int, taps: tuple[float, ...], length: int) -> Tensor:
    """Weighted sum of neighbors along a dimension; a compiler makes one kernel of it."""
    total = taps[0] * images.narrow(dim, 0, length)
    for start, tap in enumerate(taps[1:], start=1):
        total = total + tap * images.narrow(dim, start, length)
    return total
