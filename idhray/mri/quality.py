"""Picture for visual inspection of one patient: brain masks and a checkerboard of both scans.

Columns are three axial planes, a coronal and a sagittal plane. Rows are the CE-T1w with the outline
of its brain (green), the registered FLAIR with this outline and that of its own brain (orange), and
a checkerboard of both, in which brain edges are continuous if the registration is right.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from idhray.images import RGB
from idhray.mri.reslice import Grid, PixelMask, PlaneValues, resliced
from idhray.mri.transform import Affine, transform_points
from idhray.mri.volume import Volume, VolumeMask, canonical, canonical_mask, mask_box, mask_volume

PANEL_PX = 192
SQUARE_PX = 24
AXIAL_HEIGHTS = (0.3, 0.5, 0.7)
"""Heights of the axial planes in the brain, 0 at its lowest and 1 at its highest voxel."""
GREEN, ORANGE = (60, 220, 60), (255, 150, 0)


def quality_picture(
    t1ce: Volume,
    t1ce_brain: VolumeMask,
    flair: Volume,
    flair_brain: VolumeMask,
    flair_to_t1ce: Affine,
    *,
    fov_mm: float = 240.0,
) -> RGB:
    """Quality picture, (576, 960, 3) uint8: three rows of five planes.

    Args:
        t1ce: CE-T1w, values 0..1, not stripped.
        t1ce_brain: Brain mask of `t1ce`.
        flair: FLAIR, values 0..1, not stripped.
        flair_brain: Brain mask of `flair`.
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
        columns.append(_with_side(np.vstack(panels), left))
    return np.hstack(columns)


def _planes(t1ce: Volume, brain: VolumeMask, fov_mm: float) -> list[tuple[Grid, str]]:
    """Planes through a canonical volume, each with the side of the patient on the image's left."""
    low, high = mask_box(brain)
    right, anterior, superior = (t1ce.affine[:3, :3] / t1ce.spacing_mm).T
    middle = (low + high) / 2

    def grid(
        down: NDArray[np.float64], across: NDArray[np.float64], voxel: NDArray[np.float64]
    ) -> Grid:
        """Grid of one plane, centered on a voxel."""
        affine = np.eye(4)
        affine[:3, :3] = np.stack([down, across, np.cross(down, across)], axis=1)
        affine[:3, :2] *= fov_mm / PANEL_PX
        corner = np.array([1, 1, 0]) * (PANEL_PX - 1) / 2
        affine[:3, 3] = (
            transform_points(t1ce.affine, voxel[:, None])[:, 0] - affine[:3, :3] @ corner
        )
        return Grid(affine=affine, shape=(PANEL_PX, PANEL_PX, 1))

    heights = [low[2] + (high - low)[2] * height for height in AXIAL_HEIGHTS]
    return [
        *((grid(-anterior, -right, np.array([*middle[:2], k])), "R") for k in heights),
        (grid(-superior, -right, middle), "R"),
        (grid(-superior, -anterior, middle), "A"),
    ]


def _plane(volume: Volume, grid: Grid, to_grid: Affine | None = None) -> PlaneValues:
    ((picture, _),) = resliced(volume, grid, to_grid)
    return picture


def _outline(mask: PixelMask) -> PixelMask:
    return np.asarray(mask & ~ndimage.binary_erosion(mask))


def _checkerboard() -> PixelMask:
    odd = np.arange(PANEL_PX) // SQUARE_PX % 2 == 1
    return np.asarray(odd[:, None] ^ odd)


def _painted(picture: PlaneValues, outlines: dict[tuple[int, int, int], PixelMask]) -> RGB:
    gray = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    image = np.repeat(gray[..., None], 3, axis=-1)
    for color, outline in outlines.items():
        image[outline] = color
    return image


def _with_side(image: RGB, left: str) -> RGB:
    """Image with the patient's side written on its left."""
    picture = Image.fromarray(image)
    ImageDraw.Draw(picture).text((3, PANEL_PX // 2), left, fill="white")
    return np.asarray(picture)
