"""Settings of the selection and storage of tiles."""

from dataclasses import dataclass
from typing import Literal, get_args

from idhray.errors import ConfigError
from idhray.images import Codec
from idhray.slides.resolution import MAX_MPP, UM_AT_1X
from idhray.slides.selection import Select

MAX_TOLERANCE = 0.1
"""Largest `mpp_tolerance`; a nucleus looks a tenth larger."""


@dataclass(frozen=True, kw_only=True)
class TilingSettings:
    """Selection of tiles, and the format in which they are stored."""

    tile_px: int = 1024
    """Side of a tile."""
    magnification: float = 10.0
    """Magnification of the tiles; 10 is 1.0 um per pixel."""
    min_tissue_fraction: float = 0.5
    """Smallest fraction of tissue in a tile."""
    select: Select = "best"
    """Selection among the tiles with enough tissue. best: those with the most tissue; among equals
    the upper ones, so choose another value if most tiles are full of tissue. uniform: a random
    draw. stratified: one from each neighborhood. all: all."""
    max_tiles_per_slide: int = 50
    """Largest number of tiles of a slide; without effect if `select` is all."""
    mpp_tolerance: float = 0.01
    """Fraction by which um per pixel of a slide's tiles may differ from `magnification`, so that
    each pixel is 1, 2, 4 or 8 whole pixels of the slide: a slide of 0.499 um gives tiles of 0.998
    um, in a third of the time. The column mpp holds the true value. 0 resamples every slide to the
    exact scale, as slideflow, STAMP and tiatoolbox do. CLAM and histolab cut whole pixels whatever
    the scale."""
    mask_mpp: float = 16.0
    """um per pixel of the thumbnail on which tissue is found; 1/32 of a 20x scan."""
    tissue: Literal["liu", "robust"] = "liu"
    """Method that separates tissue from glass. liu: the filters of the pipeline that Liu et al.
    cite. robust: ours, which also removes folds, blur and pens of any color."""
    min_object_px: int = 500
    """Tissue regions with fewer pixels of the thumbnail are ignored; 500 are 0.13 mm2. Used by
    `tissue` liu only."""
    codec: Codec = "jpeg"
    """JPEG of quality 95, or PNG, which is lossless and larger."""
    tiles_per_shard: int = 256
    """A slide with more tiles is stored in several files of about this many tiles each (200 MB of
    1024 px tiles), which several workers can cut."""
    region_classes: tuple[str, ...] = ()
    """Classes of drawn regions in which tissue counts; all classes if none is given."""
    region_exclude: tuple[str, ...] = ()
    """Classes of drawn regions that are removed again, such as artifacts."""
    assume_mpp: float | None = None
    """um per pixel of slides whose resolution is in neither the manifest nor the file. Without it
    such slides are refused."""
    to_srgb: bool = False
    """Convert colors by the file's ICC profile, if it has one."""
    check_colors: bool = True
    """Refuse a slide whose thumbnail cannot be H&E on glass: wrongly decoded colors, fluorescence,
    but also other stains."""
    second_reader: Literal["never", "unopened", "always"] = "never"
    """Use of the optional package fastslide, which reads CZI, iSyntax, VSI and OME-Zarr 0.5.
    unopened: for slides that OpenSlide cannot open. always: for all slides, such as DICOM slides
    whose colors OpenSlide decodes wrongly. A slide on which both readers differ fails."""
    direct: bool = True
    """Decode the JPEG blocks of tiled TIFF files directly, at half scale if that fits: about six
    times as fast as OpenSlide, which reads all other files. At half scale pixels differ by 0.2 to 1
    of 255 on average; at full scale they are the same."""

    def __post_init__(self) -> None:
        least = min(self.tile_px, self.max_tiles_per_slide, self.tiles_per_shard)
        if least < 1 or self.min_object_px < 0:
            raise ConfigError(
                "tile_px, max_tiles_per_slide and tiles_per_shard must be 1 or more, "
                "min_object_px 0"
            )
        if not 0 <= self.mpp_tolerance <= MAX_TOLERANCE:
            raise ConfigError(
                f"mpp_tolerance must be in [0, {MAX_TOLERANCE:g}], got {self.mpp_tolerance}"
            )
        if self.assume_mpp is not None and not 0 < self.assume_mpp <= MAX_MPP:
            raise ConfigError(f"assume_mpp must be in (0, {MAX_MPP:g}], got {self.assume_mpp}")
        if self.select not in get_args(Select):
            raise ConfigError(f"select must be one of {get_args(Select)}, got {self.select!r}")
        if not self.magnification > 0:
            raise ConfigError(f"magnification must be above 0, got {self.magnification}")
        if not 0 < self.min_tissue_fraction <= 1:
            raise ConfigError(
                f"min_tissue_fraction must be in (0, 1], got {self.min_tissue_fraction}"
            )
        if not self.mpp <= self.mask_mpp <= self.tile_px * self.mpp:
            raise ConfigError(
                f"mask_mpp must lie between the tiles' {self.mpp:g} um per pixel and their width "
                f"of {self.tile_px * self.mpp:g} um, got {self.mask_mpp}"
            )
        if self.second_reader not in ("never", "unopened", "always"):
            raise ConfigError(
                f"second_reader must be never, unopened or always, got {self.second_reader!r}"
            )
        if self.tissue not in ("liu", "robust"):
            raise ConfigError(f"tissue must be liu or robust, got {self.tissue!r}")
        if self.codec not in ("jpeg", "png"):
            raise ConfigError(f"codec must be jpeg or png, got {self.codec!r}")

    @property
    def mpp(self) -> float:
        """um per pixel of a tile."""
        return UM_AT_1X / self.magnification


PRESETS = {
    # Source: Liu et al. 2020, Methods, "Image pre-processing": 1024 px at 10x, half tissue, 50.
    "liu2020": TilingSettings(),
    "robust": TilingSettings(tissue="robust"),
    "demo": TilingSettings(max_tiles_per_slide=8),
}
