"""Look-ups of images through an affine map, differentiable twice on every torch and device.

Only gathers and elementwise products: `F.grid_sample` cannot be differentiated twice on every
torch that we support, and matrix products may be rounded (TF32, autocast), whole pixels off.
Beyond its edges an image is its own mirror image.

Shapes: N images, C channels, S side in pixels. A map (N, 3, 3) takes pixels of the result to
pixels of the source; x to the right, y down, (0, 0) the image's center.
"""

import torch
from torch import Tensor

# A symmetric low-pass of 12 taps, of which this is one half from its center outwards; the other
# mirrors it. Karras et al. 2020 (arXiv:2006.06676, appendix B) take the orthogonal wavelet sym6,
# whose asymmetry would turn with a flip. This one is ours: three zeros at the Nyquist frequency,
# and of such filters the one of least energy above 0.7 of it plus 100 times the squared deviations
# from orthogonality. Doubling and halving alone change no frequency of a row by over 0.5 %.
_HALF = (0.963299, 0.191133, -0.18257, -0.005137, 0.042651, -0.009376)
_EARLY = (_HALF[5], _HALF[3], _HALF[1], _HALF[0], _HALF[2], _HALF[4])
_LATE = _EARLY[::-1]
_WHOLE = tuple(tap / 2 for tap in _HALF[::-1] + _HALF)


def product(first: Tensor, second: Tensor) -> Tensor:
    """(N, 3, 3) matrix products, exact where matmul may round to TF32."""
    return (first[:, :, :, None] * second[:, None, :, :]).sum(dim=2)


def linear(xx: Tensor, xy: Tensor, yx: Tensor, yy: Tensor) -> Tensor:
    """(N, 3, 3) of [[xx, xy], [yx, yy]], each (N,)."""
    zero, one = torch.zeros_like(xx), torch.ones_like(xx)
    return torch.stack([xx, xy, zero, yx, yy, zero, zero, zero, one], dim=1).view(-1, 3, 3)


def shift(x: Tensor, y: Tensor) -> Tensor:
    """(N, 3, 3) that adds (x, y), each (N,)."""
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return torch.stack([one, zero, x, zero, one, y, zero, zero, one], dim=1).view(-1, 3, 3)


def copied(images: Tensor, places: Tensor) -> Tensor:
    """(N, C, S, S) of the pixels at `places`, a map that leads to pixels, not between them."""
    x, y = _source(places, images.shape[-1])
    return _taken(images, x.round().long(), y.round().long())


def warped(images: Tensor, places: Tensor) -> Tensor:
    """(N, C, S, S) at `places`, looked up at twice the size between two low-pass filters.

    So shrinking to a half does not alias, and small moves do not blur as bilinear look-up does.
    """
    finer = torch.cat([places[:, :, :2], 2 * places[:, :, 2:]], dim=2)  # shifts in half pixels
    return halved(bilinear(doubled(images), finer))


def bilinear(images: Tensor, places: Tensor) -> Tensor:
    """(N, C, S, S) at `places`, between four pixels."""
    side = images.shape[-1]
    x, y = _source(places, side)
    left, top = x.floor(), y.floor()
    x0, y0 = left.long(), top.long()
    x1, y1 = (x0 + 1).clamp(max=side - 1), (y0 + 1).clamp(max=side - 1)
    right_part, lower_part = (x - left)[:, None], (y - top)[:, None]
    upper = _between(_taken(images, x0, y0), _taken(images, x1, y0), right_part)
    lower = _between(_taken(images, x0, y1), _taken(images, x1, y1), right_part)
    return _between(upper, lower, lower_part)


def _between(first: Tensor, second: Tensor, part: Tensor) -> Tensor:
    return first + (second - first) * part


def _source(places: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """x and y, (N, S, S) in 0..S - 1 from the upper left pixel's center, mirrored at the edges."""
    from_center = torch.arange(side, device=places.device, dtype=places.dtype) - (side - 1) / 2
    x, y = from_center[None, None, :], from_center[None, :, None]
    columns, rows = places[:, 0, :, None, None], places[:, 1, :, None, None]
    found = (row[:, 0] * x + row[:, 1] * y + row[:, 2] + side / 2 for row in (columns, rows))
    source_x, source_y = (_mirrored_place(place, side) for place in found)
    return source_x, source_y


def _mirrored_place(place: Tensor, side: int) -> Tensor:
    """0..S - 1 of a place counted from the image's edge, as if mirror images tiled the plane."""
    place = place.remainder(2 * side)
    return (torch.minimum(place, 2 * side - place) - 0.5).clamp(0, side - 1)


def _taken(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(N, C, S, S): the pixel (x, y) of every channel; x, y (N, S, S) int64."""
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
    """Sum of neighbors along a dimension; a compiler makes one kernel of it."""
    found = taps[0] * images.narrow(dim, 0, length)
    for start, tap in enumerate(taps[1:], start=1):
        found = found + tap * images.narrow(dim, start, length)
    return found
