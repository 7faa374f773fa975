"""A picture by which a person judges one patient: brain masks, and the pair as a checkerboard.

Columns are three axial planes, a coronal and a sagittal one. Rows are the CE-T1w with the outline
of its brain (green), the FLAIR as registered with that outline and its own (orange), and squares of
the two in turn, in which edges of the brain run on where the registration is right.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from idhray.images import RGB
from idhray.mri.reslice import Covered, Grid, Picture, resliced
from idhray.mri.transform import Matrix, moved
from idhray.mri.volume import Mask, Volume, canonical, canonical_mask, mask_box, mask_volume

PANEL_PX = 192
SQUARE_PX = 24
AXIAL_HEIGHTS = (0.3, 0.5, 0.7)
"""Of the brain, 0 below and 1 above."""
GREEN, ORANGE = (60, 220, 60), (255, 150, 0)


def quality_picture(
    t1ce: Volume,
    t1ce_brain: Mask,
    flair: Volume,
    flair_brain: Mask,
    flair_to_t1ce: Matrix,
    *,
    fov_mm: float = 240.0,
) -> RGB:
    """(576, 960, 3) uint8: three rows of five planes.

    Args:
        t1ce: Values 0..1, not stripped.
        t1ce_brain: Its brain.
        flair: Values 0..1, not stripped.
        flair_brain: Its brain.
        flair_to_t1ce: RAS mm of `flair` -> RAS mm of `t1ce`.
        fov_mm: Side of each plane.
    """
    columns = []
    masks = [mask_volume(t1ce_brain, t1ce), mask_volume(flair_brain, flair)]
    for grid, left in _planes(canonical(t1ce), canonical_mask(t1ce_brain, t1ce), fov_mm):
        a, a_brain = (_plane(volume, grid) for volume in (t1ce, masks[0]))
        b, b_brain = (_plane(volume, grid, flair_to_t1ce) for volume in (flair, masks[1]))
        green, orange = _outline(a_brain >= 0.5), _outline(b_brain >= 0.5)
        panels = [
            _painted(a, {GREEN: green}),
            _painted(b, {ORANGE: orange, GREEN: green}),
            _painted(np.where(_checkerboard(), a, b), {}),
        ]
        columns.append(_marked(np.vstack(panels), left))
    return np.hstack(columns)


def _planes(t1ce: Volume, brain: Mask, fov_mm: float) -> list[tuple[Grid, str]]:
    """The planes through a canonical volume, and which side of the patient is on the left."""
    low, high = mask_box(brain)
    right, anterior, superior = (t1ce.affine[:3, :3] / t1ce.spacing_mm).T
    middle = (low + high) / 2

    def grid(
        down: NDArray[np.float64], across: NDArray[np.float64], voxel: NDArray[np.float64]
    ) -> Grid:
        """One plane, centered on a voxel."""
        affine = np.eye(4)
        affine[:3, :3] = np.stack([down, across, np.cross(down, across)], axis=1)
        affine[:3, :2] *= fov_mm / PANEL_PX
        corner = np.array([1, 1, 0]) * (PANEL_PX - 1) / 2
        affine[:3, 3] = moved(t1ce.affine, voxel[:, None])[:, 0] - affine[:3, :3] @ corner
        return Grid(affine=affine, shape=(PANEL_PX, PANEL_PX, 1))

    heights = [low[2] + (high - low)[2] * height for height in AXIAL_HEIGHTS]
    return [
        *((grid(-anterior, -right, np.array([*middle[:2], k])), "R") for k in heights),
        (grid(-superior, -right, middle), "R"),
        (grid(-superior, -anterior, middle), "A"),
    ]


def _plane(volume: Volume, grid: Grid, to_grid: Matrix | None = None) -> Picture:
    ((picture, _),) = resliced(volume, grid, to_grid)
    return picture


def _outline(mask: Covered) -> Covered:
    return np.asarray(mask & ~ndimage.binary_erosion(mask))


def _checkerboard() -> Covered:
    odd = np.arange(PANEL_PX) // SQUARE_PX % 2 == 1
    return np.asarray(odd[:, None] ^ odd)


def _painted(picture: Picture, outlines: dict[tuple[int, int, int], Covered]) -> RGB:
    gray = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    image = np.repeat(gray[..., None], 3, axis=-1)
    for color, outline in outlines.items():
        image[outline] = color
    return image


def _marked(image: RGB, left: str) -> RGB:
    """The side that is on the left, written there."""
    picture = Image.fromarray(image)
    ImageDraw.Draw(picture).text((3, PANEL_PX // 2), left, fill="white")
    return np.asarray(picture)
