"""Simulated reader of an image without its truth: Park's five features of one slice.

Synthetic images have no truth. Thresholds were set on 200 phantom patients as slices of 64 and 256
px over 240 mm; tests/phantom/test_mri_image_reader.py measures the agreement with the truth on
other patients.
"""

from idhray.images import RGB
from idhray.phantom.mri.measure import FOV_MM, Measures, measures


def read_features(image: RGB) -> dict[str, str]:
    """Level of each feature, always one of Park's; a guess if the image shows no tumor.

    Args:
        image: (height, width, 3) uint8, brain only, anterior up: CE-T1w, FLAIR, null; over FOV_MM.

    Raises:
        TableError: `image` is not such an array.
    """
    lesion = measures(image)
    pixel_mm = FOV_MM / len(image)
    return {
        "location": _location(lesion),
        "enhancement": _enhancement(lesion),
        "necrosis": "yes" if _necrosis(lesion) else "no",
        "surrounding": "edema" if _edema(lesion, pixel_mm) else "tumor",
        "margin": "clear" if lesion.edge_mm < _edge_limit_mm(lesion, pixel_mm) else "indistinct",
    }


def _location(lesion: Measures) -> str:
    if (lesion.aside < 0.31 and -0.45 < lesion.ahead < 0) or (
        lesion.aside < 0.2 and 0 <= lesion.ahead < 0.1
    ):
        return "thalamus_brainstem"
    return "frontal_insula" if lesion.ahead > 0 else "other"


def _enhancement(lesion: Measures) -> str:
    if lesion.hollow > 0.16:
        return "rim"
    if lesion.strength > 1.85:  # a broken ring has no hole, but its inside is dark
        return "rim" if lesion.necrosis_mm2 > 130 else "nodular"
    # The window may clip a small tumor's brightness, but not its shape.
    return "nodular" if lesion.node_mm2 > 320 and lesion.compact > 0.86 else "patch"


def _necrosis(lesion: Measures) -> bool:
    return lesion.necrosis_mm2 > 44 or (lesion.necrosis_mm2 > 12 and lesion.hollow > 0.06)


def _edema(lesion: Measures, pixel_mm: float) -> bool:
    """True for edema, whose fingers reduce the solidity of the lesion, as large pixels do a bit."""
    return lesion.solidity < 0.94 - 0.006 * pixel_mm


def _edge_limit_mm(lesion: Measures, pixel_mm: float) -> float:
    """Limit of a clear margin; fingers and large pixels blur any margin a little."""
    return 6.8 + 0.32 * pixel_mm if _edema(lesion, pixel_mm) else 6.0
