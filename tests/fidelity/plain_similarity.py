"""What the search by pixels says, computed plainly: one query and one candidate after the other.

Every window is cut out and made a unit vector, details are made anew for each pair, and SSIM is
scikit-image's. It screens as the search does, but sorts all scores.
"""

import numpy as np
import torch
import torch.nn.functional as F
from skimage.metrics import structural_similarity

from idhray.fidelity.copies.views import apply_symmetry, unit_vectors

COARSE, FINE = (32, (0.7, 3.0)), (64, (1.0, 4.0))
FLAT = 0.5
COUNT = {"none": 1, "mirror": 2, "dihedral": 8}


def nearest(queries, references, symmetry, apart=None):
    """(reference, r, ssim, symmetry, dy, dx) of each query's most similar reference."""
    vectors = middle(detail(references, *COARSE))
    axes = principal_axes(vectors[:: -(-len(vectors) // 2000)])
    components = vectors @ axes
    found = []
    for number, query in enumerate(queries):
        small = detail(query[None], *COARSE)
        views = [
            part @ axes
            for k in range(COUNT[symmetry])
            for part in shifted(apply_symmetry(small, k))[:, 0]
        ]
        scores = (torch.stack(views) @ components.T).max(0).values
        if apart is not None:
            scores[torch.tensor(apart[1] == apart[0][number])] = -torch.inf
        order = scores.argsort(descending=True, stable=True)[:16]
        found.append(compared(query, references, order[scores[order] > -torch.inf], symmetry))
    return [np.array(column) for column in zip(*found, strict=True)]


def compared(query, references, places, symmetry):
    """The same of one query and the best of some references."""
    if not len(places):
        return -1, 0.0, 0.0, 0, 0, 0
    fixed = middle(detail(references[places.numpy()], *FINE))
    small = detail(query[None], *FINE)
    moving = torch.cat([shifted(apply_symmetry(small, k))[:, 0] for k in range(COUNT[symmetry])])
    view, which = divmod(int((moving @ fixed.T).argmax()), len(places))
    number, at = divmod(view, len(moving) // COUNT[symmetry])
    image = apply_symmetry(channels_first(query), number)
    reference = channels_first(references[int(places[which])])
    dy, dx = offsets(small)[at]
    sides = small.shape[-2:]
    dy, dx = max(
        around(dy / sides[0], dx / sides[1], image.shape[1:]),
        key=lambda shift: raw_correlation(*overlap(image, reference, *shift)),
    )
    a, b = overlap(image, reference, dy, dx)
    return int(places[which]), correlation(a, b), ssim(a, b), number, dy, dx


def detail(images, side_px, band_px):
    """(N, C, h, w) of (N, H, W, C): averaged down, then a difference of Gaussians."""
    x = channels_first(images)
    narrow, broad = (
        smoothing(x.shape[2], side_px, sigma) @ x @ smoothing(x.shape[3], side_px, sigma).T
        for sigma in band_px
    )
    return narrow - broad


def smoothing(side, side_px, sigma):
    """(h, side): the matrix that averages a row down and blurs it."""
    averaged = F.adaptive_avg_pool1d(torch.eye(side)[:, None], min(side_px, side))
    reach = int(3 * sigma + 0.5)
    weights = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * sigma**2))
    padded = F.pad(averaged, (reach, reach), mode="replicate")
    return F.conv1d(padded, (weights / weights.sum()).view(1, 1, -1))[:, 0].T.contiguous()


def principal_axes(vectors):
    """(D, up to 256)."""
    gram = vectors @ vectors.T if len(vectors) < vectors.shape[1] else vectors.T @ vectors
    values, axes = torch.linalg.eigh(gram.double())
    axes = axes[:, (values > values[-1] * 1e-8).nonzero().flatten()[-256:]].float()
    axes = vectors.T @ axes if len(vectors) < vectors.shape[1] else axes
    return axes / axes.norm(dim=0).clamp_min(1e-12)


def margins(images):
    return int(images.shape[-2] / 16), int(images.shape[-1] / 16)


def offsets(images):
    y, x = margins(images)
    return [(dy, dx) for dy in range(-y, y + 1) for dx in range(-x, x + 1)]


def shifted(images):
    """(offsets, N, D): unit vectors of all but a margin, at every shift."""
    y, x = margins(images)
    h, w = images.shape[-2:]
    parts = [
        images[:, :, y + dy : h - y + dy, x + dx : w - x + dx].flatten(2)
        for dy, dx in offsets(images)
    ]
    return unit_vectors(torch.stack(parts))


def middle(images):
    y, x = margins(images)
    return unit_vectors(images[..., y : images.shape[-2] - y, x : images.shape[-1] - x].flatten(2))


def channels_first(images):
    return torch.tensor(np.ascontiguousarray(images)).movedim(-1, -3).float()


def around(y, x, sides):
    """Shifts in pixels within half a pixel at 64 px."""
    ry, rx = (-(-side // 128) if side > 64 else 0 for side in sides)
    cy, cx = round(y * sides[0]), round(x * sides[1])
    return [(dy, dx) for dy in range(cy - ry, cy + ry + 1) for dx in range(cx - rx, cx + rx + 1)]


def overlap(image, reference, dy, dx):
    _, height, width = reference.shape
    y0, y1, x0, x1 = max(0, -dy), height - max(0, dy), max(0, -dx), width - max(0, dx)
    return image[:, y0 + dy : y1 + dy, x0 + dx : x1 + dx], reference[:, y0:y1, x0:x1]


def raw_correlation(a, b):
    return float(unit_vectors(a.flatten(1)) @ unit_vectors(b.flatten(1)))


def correlation(a, b):
    a, b = (detail(part.movedim(0, -1)[None].numpy(), *FINE).flatten(2) for part in (a, b))
    return float((unit_vectors(a) * unit_vectors(b)).sum().clamp(-1, 1))


def ssim(image, reference):
    """At equal mean and contrast, of the channels that are not constant in both."""
    side = min(reference.shape[1:])
    seen = (image.std((1, 2)) > FLAT) | (reference.std((1, 2)) > FLAT)
    if side < 3 or not seen.any():
        return 0.0
    a, b = image[seen].double(), reference[seen].double()
    a = (a - a.mean((1, 2), keepdim=True)) / a.std((1, 2), keepdim=True).clamp_min(FLAT)
    a = a * b.std((1, 2), keepdim=True) + b.mean((1, 2), keepdim=True)
    window = min(7, side - (side + 1) % 2)
    return structural_similarity(
        a.numpy(), b.numpy(), channel_axis=0, data_range=255.0, win_size=window
    )
