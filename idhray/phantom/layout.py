"""Layout of one slide: maps of its tissue, necrosis and crowding.

Maps have one cell per MAP_PX x MAP_PX level-0 pixels, so that a slide can be planned as a whole
and then drawn band by band.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idhray.phantom.texture import SlideMap, smooth_field

MAP_PX = 16
RIM_CROWDING = 2.2  # crowding of the pseudopalisading cells around necrosis
MAX_CROWDING = 3.2


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Maps (height, width) float32 of one slide."""

    border: SlideMap
    """Depth in the tissue, positive inside, about -1 to 1."""
    necrosis: SlideMap
    """Degree of necrosis, 0 viable, 1 dead."""
    crowding: SlideMap
    """Density of nuclei relative to average viable tissue; 0 outside the tissue."""
    eosin: SlideMap
    """Local strength of the stain, about 1."""

    @property
    def tissue(self) -> NDArray[np.bool_]:
        """Map cells that are tissue."""
        return self.border > 0


def make_layout(
    random: np.random.Generator, shape_l0: tuple[int, int], mpp: float, necrosis_fraction: float
) -> Layout:
    """Layout of one slide of `shape_l0` (height, width) pixels."""
    shape = (-(-shape_l0[0] // MAP_PX), -(-shape_l0[1] // MAP_PX))
    cell_um = MAP_PX * mpp
    border = _border(random, shape, cell_um)
    necrosis, rim = _necrosis(random, border > 0, cell_um, necrosis_fraction)
    local = 0.30 * smooth_field(random, shape, 350 / cell_um)
    local += 0.15 * smooth_field(random, shape, 80 / cell_um)
    crowding = np.exp(local) * (1 + (RIM_CROWDING - 1) * rim) * (1 - 0.96 * necrosis)
    eosin = 1 + 0.10 * smooth_field(random, shape, 250 / cell_um)
    return Layout(
        border=border,
        necrosis=necrosis,
        crowding=np.where(border > 0, np.minimum(crowding, np.float32(MAX_CROWDING)), 0),
        eosin=eosin,
    )


def _border(random: np.random.Generator, shape: tuple[int, int], cell_um: float) -> SlideMap:
    """A lobed blob over most of the slide, with a few clefts."""
    height, width = shape
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    blob = 0.80 - np.hypot(np.abs(x) ** 1.7, np.abs(y) ** 1.7)
    side_um = min(shape) * cell_um
    lobes = 0.13 * smooth_field(random, shape, side_um / 3 / cell_um)
    roughness = 0.025 * smooth_field(random, shape, 50 / cell_um)
    border = blob + lobes + roughness
    cleft = np.abs(smooth_field(random, shape, side_um / 2 / cell_um)) - 0.012
    has_cleft = smooth_field(random, shape, side_um / 4 / cell_um) > 0.9  # keeps clefts short
    return np.asarray(np.where(has_cleft, np.minimum(border, 4 * cleft), border), dtype=np.float32)


def _necrosis(
    random: np.random.Generator, tissue: NDArray[np.bool_], cell_um: float, fraction: float
) -> tuple[SlideMap, SlideMap]:
    """Geographic necrosis over `fraction` of the tissue, 0 to 1, and its rim."""
    field = smooth_field(random, tissue.shape, 450 / cell_um)
    field += 0.25 * smooth_field(random, tissue.shape, 90 / cell_um)
    if not tissue.any():
        return np.zeros_like(field), np.zeros_like(field)
    threshold = np.quantile(field[tissue], 1 - fraction)
    dead = np.clip((field - threshold) / 0.12, 0, 1)
    rim = np.exp(-(((field - threshold + 0.14) / 0.12) ** 2))
    # With hardly any necrosis, its rim would still draw a dense patch at the maximum of the field.
    return dead, rim * np.clip(fraction / 0.02, 0, 1)
