"""Rigid registration of one brain to another scan of it: FLAIR to CE-T1w.

As SPM12 does it: normalized mutual information, maximized by Powell's method, coarse to fine. The
brains are stripped first. What differs was chosen on simulated brains of known truth (FLAIR and
CE-T1w made of tissue maps, slices of 5.5 mm, masks with errors of their own):

- Points lie at random in their cells, so that they never fall on a grid together with the voxels.
  SPM12 has this too; it smooths the volumes as well, which here made the error larger (0.37 mm
  against 0.23), and without which Powell still found its way from 45 degrees off.
- Only points in the brain or close to it are compared: half as many as in a box, no worse.

Every step is one thread of NumPy, so that the result does not depend on the machine's load.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from idhray.chance import generator
from idhray.mri.intensity import stripped, window, windowed
from idhray.mri.mutual_information import similarity_at
from idhray.mri.sampling import Trilinear, sampled
from idhray.mri.settings import SliceSettings
from idhray.mri.transform import (
    Matrix,
    Points,
    displacements_mm,
    inverse,
    rigid,
    rotation_degrees,
)
from idhray.mri.volume import Mask, Volume, cropped, mask_ml, mask_points_mm, mask_volume, padded

MARGIN_MM = 5.0
"""Points up to here outside the brain are compared: its outline says where it lies."""
RADIUS_MM = 60.0
"""Of a brain, about: a step of the search is as many mm of shift as of turn at this distance."""
FIRST_STEP_MM, LATER_STEP_MM = 4.0, 0.5
"""Of the search, in the first level and once it is near."""
TOLERANCES = {"xtol": 3e-3, "ftol": 1e-4}
"""Of Powell's method; ten times less moved the answer by 0.02 mm and took twice as long."""
PERCENTILES = (0.1, 99.9)


@dataclass(frozen=True, kw_only=True)
class Registration:
    """Where the moving volume belongs, and whether to believe it."""

    matrix: Matrix
    """(4, 4): RAS mm of the moving volume -> RAS mm of the fixed one."""
    nmi_before: float
    """Normalized mutual information as the headers place the two; 1 is none, 2 is identity."""
    nmi_after: float
    rotation_degrees: float
    translation_mm: float
    """Of the center of the brain."""
    displacement_mean_mm: float
    """Over the brain, turn and shift together."""
    displacement_max_mm: float
    overlap: float
    """Dice of the two brain masks after registration."""
    implausible: str
    """Why not to believe it, empty when there is no reason."""


def register(
    fixed: Volume, fixed_brain: Mask, moving: Volume, moving_brain: Mask, settings: SliceSettings
) -> Registration:
    """The rigid transform that brings `moving` onto `fixed`.

    Args:
        fixed: The CE-T1w.
        fixed_brain: Its brain.
        moving: The FLAIR, on a grid of its own.
        moving_brain: Its brain.
        settings: Steps of the search, and limits beyond which the result is flagged.

    Raises:
        MriError: a mask does not fit or is empty, or a brain has one value only.
    """
    a, b = _comparable(fixed, fixed_brain), _comparable(moving, moving_brain)
    center = mask_points_mm(fixed_brain, fixed).mean(axis=1)
    shift = mask_points_mm(moving_brain, moving).mean(axis=1) - center
    starts = [np.eye(4), rigid(shift, np.zeros(3), center)]  # by the headers, or center on center
    found, reach = None, FIRST_STEP_MM
    for step in settings.registration_steps_mm:
        similarity = similarity_at(a, b, _points(fixed, fixed_brain, step))
        start = max(starts, key=similarity) if found is None else found
        found, reach = _powell(similarity, start, center, reach), LATER_STEP_MM
    assert found is not None  # settings have one step or more
    return _judged(
        inverse(found),
        (similarity(np.eye(4)), similarity(found)),
        mask_points_mm(fixed_brain, fixed),
        _overlap(found, fixed, fixed_brain, moving, moving_brain),
        settings,
    )


def _comparable(volume: Volume, brain: Mask) -> Volume:
    """The brain alone, 0..1."""
    limits = window(volume, brain, *PERCENTILES)
    box, inside = cropped(volume, brain)
    return stripped(windowed(box, limits), inside)


def _points(volume: Volume, brain: Mask, step_mm: float) -> Points:
    """(3, n) RAS mm: a point at random in each cell of `step_mm` in or near the brain."""
    inside = mask_points_mm(brain, volume)
    lowest, highest = inside.min(axis=1) - 2 * MARGIN_MM, inside.max(axis=1) + 2 * MARGIN_MM
    shape = np.ceil((highest - lowest) / step_mm).astype(int)
    corners = np.indices(shape).reshape(3, -1)
    centers = lowest[:, None] + (corners + 0.5) * step_mm
    in_brain = _within(brain, volume, np.eye(4), centers)
    near = ndimage.binary_dilation(
        in_brain.reshape(shape), iterations=int(np.ceil(MARGIN_MM / step_mm))
    )
    places = corners + generator(0, "registration", step_mm).random(corners.shape)
    return np.asarray(lowest[:, None] + places[:, near.ravel()] * step_mm)


def _within(mask: Mask, volume: Volume, matrix: Matrix, points: Points) -> NDArray[np.bool_]:
    """(n,): which points `matrix` carries into a mask of `volume`."""
    box = padded(mask_volume(mask, volume))
    to_voxels = inverse(box.affine) @ matrix
    values = sampled(Trilinear(box.voxels), to_voxels, points.astype(np.float32))
    return np.asarray(values >= 0.5)


def _powell(
    similarity: Callable[[Matrix], float], start: Matrix, center: Points, reach_mm: float
) -> Matrix:
    """`start` after the small turn and shift that agree best; `reach_mm` is the first try."""

    def matrix(move: Points) -> Matrix:
        return start @ rigid(move[:3], move[3:] / RADIUS_MM, center)

    best = optimize.minimize(
        lambda move: -similarity(matrix(move)),
        np.zeros(6),
        method="Powell",
        options={"direc": reach_mm * np.eye(6), **TOLERANCES},
    )
    return matrix(best.x)


def _overlap(
    found: Matrix, fixed: Volume, fixed_brain: Mask, moving: Volume, moving_brain: Mask
) -> float:
    """Dice of the two masks, when `found` carries the fixed one to the moving one."""
    shared = _within(moving_brain, moving, found, mask_points_mm(fixed_brain, fixed)).mean()
    ml, moving_ml = mask_ml(fixed_brain, fixed), mask_ml(moving_brain, moving)
    return float(2 * shared * ml / (ml + moving_ml))


def _judged(
    matrix: Matrix,
    nmi: tuple[float, float],
    brain: Points,
    overlap: float,
    settings: SliceSettings,
) -> Registration:
    """The figures of a registration, and the limits that it breaks."""
    distances = displacements_mm(inverse(matrix), brain)
    turn, mean = rotation_degrees(matrix), float(distances.mean())
    doubts = {
        f"turned {turn:.0f} degrees": turn > settings.max_rotation_degrees,
        f"moved {mean:.0f} mm": mean > settings.max_displacement_mm,
        f"brains overlap by {overlap:.2f} only": overlap < settings.min_overlap,
        f"mutual information {nmi[1]:.3f} only": nmi[1] < settings.min_nmi,
    }
    center = brain.mean(axis=1, keepdims=True)
    return Registration(
        matrix=matrix,
        nmi_before=nmi[0],
        nmi_after=nmi[1],
        rotation_degrees=turn,
        translation_mm=float(displacements_mm(inverse(matrix), center)[0]),
        displacement_mean_mm=mean,
        displacement_max_mm=float(distances.max()),
        overlap=overlap,
        implausible="; ".join(doubt for doubt, there in doubts.items() if there),
    )
