"""A reader who looks at the image alone: Park's five features of a slice, and which slice to read.

Synthetic images have no truth, so that somebody must look. Thresholds were set on 200 made-up
patients as slices of 64 and 256 px over 240 mm; tests/phantom/test_mri_image_reader.py measures
the agreement with the truth on others.
"""

from collections.abc import Sequence

from idhray.errors import TableError
from idhray.images import RGB
from idhray.phantom.mri.measure import FOV_MM, Measures, lesion_mm2, measures


def read_features(image: RGB, fov_mm: float = FOV_MM) -> dict[str, str]:
    """Feature -> level, always one of Park's: a guess where the image shows no tumor.

    Args:
        image: (height, width, 3) uint8, brain only, its front up: CE-T1w, FLAIR, null.
        fov_mm: Side of what it shows.

    Raises:
        TableError: `image` is no such array.
    """
    seen = measures(image, fov_mm)
    pixel_mm = fov_mm / len(image)
    return {
        "location": _location(seen),
        "enhancement": _enhancement(seen),
        "necrosis": "yes" if _necrosis(seen) else "no",
        "surrounding": "edema" if _edema(seen, pixel_mm) else "tumor",
        "margin": "clear" if seen.edge_mm < _edge_limit_mm(seen, pixel_mm) else "indistinct",
    }


def best_slice(images: Sequence[RGB], fov_mm: float = FOV_MM) -> int:
    """Which of a patient's slices the readers see: the one with the largest FLAIR lesion, or the
    middle one where none has any.

    Raises:
        TableError: there are no images.
    """
    if not images:
        raise TableError("a reader needs one slice or more, got none")
    areas = [lesion_mm2(image, fov_mm) for image in images]
    return areas.index(max(areas)) if max(areas) > 0 else len(images) // 2


def _location(seen: Measures) -> str:
    if (seen.aside < 0.31 and -0.45 < seen.ahead < 0) or (
        seen.aside < 0.2 and 0 <= seen.ahead < 0.1
    ):
        return "thalamus_brainstem"
    return "frontal_insula" if seen.ahead > 0 else "other"


def _enhancement(seen: Measures) -> str:
    if seen.hollow > 0.16:
        return "rim"
    if seen.strength > 1.85:  # a broken ring has no hole, but what lies in it is dark
        return "rim" if seen.necrosis_mm2 > 130 else "nodular"
    # The window may cut a small tumor's brightness, but not its shape.
    return "nodular" if seen.node_mm2 > 320 and seen.compact > 0.86 else "patch"


def _necrosis(seen: Measures) -> bool:
    return seen.necrosis_mm2 > 44 or (seen.necrosis_mm2 > 12 and seen.hollow > 0.06)


def _edema(seen: Measures, pixel_mm: float) -> bool:
    """Fingers leave gaps in the hull of the lesion; so do large pixels, a little."""
    return seen.solidity < 0.94 - 0.006 * pixel_mm


def _edge_limit_mm(seen: Measures, pixel_mm: float) -> float:
    """Fingers blur any edge a little, and so do large pixels."""
    return 6.8 + 0.32 * pixel_mm if _edema(seen, pixel_mm) else 6.0
