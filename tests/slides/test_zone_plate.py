"""No reader shows rings that the mean over the area does not, within the stated tolerance."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from idhray.slides.direct import DirectSlide
from idhray.slides.reader import Slide

SIDE = 512
MOST_MEAN, MOST_LARGEST, MOST_EXCESS = 6.0, 26.0, 9.0
"""The tolerance at odd scales, of rings of amplitude 100: difference from the area mean on average
and anywhere, and the percentage of the rings by which more of them may alias than in the area mean,
in any band of frequencies. Where whole pixels fit it is 0.5, 3 and 0.5."""


@pytest.fixture(scope="module")
def benchmark_of_rings() -> ModuleType:
    """benchmarks/zone_plate.py, whose figures these are."""
    path = Path(__file__).parents[2] / "benchmarks" / "zone_plate.py"
    spec = importlib.util.spec_from_file_location("zone_plate", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("coding", ["deflate", "jpeg"])
@pytest.mark.parametrize("reader", [Slide, DirectSlide])
def test_rings_do_not_alias(tmp_path, benchmark_of_rings, coding, reader):
    """Scales of 1 to 8, and what scanners make of them: 1.98, 2.004, 4.016."""
    rings = benchmark_of_rings
    plate = rings.zone_plate(SIDE)
    path = rings.write_plate(tmp_path / "a.tiff", plate, coding)

    with reader(path) as slide:
        for scale in rings.SCALES:
            reference = rings.area_mean(plate, scale)
            found = rings.read_whole(slide, scale, len(reference))
            said = rings.figures(found, reference, scale, SIDE)
            whole = scale == round(scale)
            if scale > 1:  # at 1 a JPEG differs by its quantization
                assert said.mean < (0.7 if whole else MOST_MEAN), (scale, said)
                assert said.largest < (3 if whole else MOST_LARGEST), (scale, said)
            assert said.excess < (0.5 if whole else MOST_EXCESS), (scale, said)


@pytest.mark.parametrize("scale", [2.004, 4.016])
def test_the_figures_tell_aliasing(benchmark_of_rings, scale):
    """Every other pixel left out, as a reader would that does not average: all rings alias."""
    rings = benchmark_of_rings
    plate = rings.zone_plate(SIDE)
    reference = rings.area_mean(plate, scale)
    nearest = (scale * (np.arange(len(reference)) + 0.5)).astype(int)
    picked = np.repeat(plate[np.ix_(nearest, nearest)][..., None], 3, axis=2)

    said = rings.figures(picked, reference, scale, SIDE)

    assert said.alias > 90
    assert said.excess > 60
    assert said.mean > 2 * MOST_MEAN
