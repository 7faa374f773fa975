"""One phantom slide as a file: a pyramid that OpenSlide reads as Aperio, and its tissue mask."""

import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from idhray.chance import generator
from idhray.errors import ConfigError
from idhray.images import RGB, encode
from idhray.phantom.appearance import appearance
from idhray.phantom.cells import all_stamps, place_cells
from idhray.phantom.layout import MAP_PX, make_layout
from idhray.phantom.marks import make_marks
from idhray.phantom.nuclei import make_stamps
from idhray.phantom.patients import Patient, PhantomSettings
from idhray.phantom.render import Scene, bands

TILE_PX = 256
BAND_PX = 2 * TILE_PX  # rows drawn at a time, a multiple of TILE_PX
THUMBNAIL_PX = 512


@dataclass(frozen=True)
class PhantomSlide:
    """Files and truth of one phantom slide."""

    name: str
    """File name without extension; unique in the cohort."""
    svs: bytes
    mask_png: bytes
    """Mask of usable tissue, 8-bit gray, 255 inside the outline and neither under ink nor in a
    fold. One pixel is MAP_PX level-0 pixels square; vessel lumens and clefts narrower than
    that are not cut out."""
    truth: dict[str, Any]
    """Row of TRUTH: the patient, the parameters of the appearance, and measures of the drawing."""


def make_slide(
    patient: Patient, slide_index: int, settings: PhantomSettings, seed: int
) -> PhantomSlide:
    """Make slide `slide_index` of a patient; the same arguments give the same bytes.

    The class acts through `appearance` only, so that it changes nothing at effect 0.

    Raises:
        ConfigError: The patient has no slide of this index.
    """
    if not 0 <= slide_index < settings.slides_per_patient:
        raise ConfigError(
            f"{patient.patient}: slide_index must be 0 to {settings.slides_per_patient - 1}, "
            f"got {slide_index}"
        )
    scene = make_scene(patient, slide_index, settings, seed)
    usable = scene.layout.tissue & scene.marks.usable(scene.layout.tissue.shape)
    name = f"{patient.patient}-{slide_index + 1}"
    return PhantomSlide(
        name=name,
        svs=svs_bytes(scene, settings),
        mask_png=encode(np.where(usable, np.uint8(255), np.uint8(0))),
        truth=_truth(scene, patient, name, usable),
    )


def make_scene(patient: Patient, slide_index: int, settings: PhantomSettings, seed: int) -> Scene:
    """Scene of a slide, from which its pixels are drawn."""
    look = appearance(patient, settings, seed)
    random = generator(seed, "slide", patient.patient, slide_index)
    stamps = make_stamps(random, look.pleomorphism, look.hematoxylin, look.eosin, settings.mpp)
    shape = (settings.height_px, settings.width_px)
    layout = make_layout(random, shape, settings.mpp, look.necrosis_fraction)
    cells = place_cells(random, layout, look, stamps, settings.mpp)
    # A separate generator, because the number of draws for the cells depends on the class.
    random = generator(seed, "marks", patient.patient, slide_index)
    marks = make_marks(
        random,
        layout.tissue,
        settings.mpp,
        pen_fraction=settings.pen_fraction,
        fold_fraction=settings.fold_fraction,
    )
    shift = (int(random.integers(4096)), int(random.integers(4096)))
    return Scene(
        height=settings.height_px,
        width=settings.width_px,
        mpp=settings.mpp,
        look=look,
        layout=layout,
        cells=cells,
        stamps=all_stamps(stamps),
        marks=marks,
        shift=shift,
    )


def svs_bytes(scene: Scene, settings: PhantomSettings) -> bytes:
    """Slide as an Aperio-like TIFF: level 0, a thumbnail, levels at 1/4 and 1/16.

    Memory holds the level at 1/4 and the encoded tiles, but never level 0.
    """
    quarter = np.empty((-(-scene.height // 4), -(-scene.width // 4), 3), dtype=np.uint8)
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as tiff:

        def write(tiles: Iterator[bytes], width: int, height: int, text: str) -> None:
            tiff.write(
                tiles,
                shape=(height, width, 3),
                dtype=np.uint8,
                tile=(TILE_PX, TILE_PX),
                photometric="ycbcr",
                subsampling=(2, 2),
                compression="jpeg",
                description=text,
                metadata=None,
                software=False,  # a version number would change the bytes
            )

        quality = settings.jpeg_quality
        head = f"Aperio Image Library v0 (idhray phantom)\r\n{scene.width}x{scene.height}"
        kind = f"({TILE_PX}x{TILE_PX}) JPEG/YCC Q={quality}"
        scale = f"|AppMag = {settings.objective_power}|MPP = {settings.mpp:.4f}"
        write(_level_0(scene, quarter, quality), scene.width, scene.height, f"{head} {kind}{scale}")
        sixteenth = _quarter(quarter)
        # Readers of SVS such as tifffile take the second page for the thumbnail.
        thumbnail = np.asarray(_thumbnail(sixteenth))
        tiff.write(
            thumbnail,
            photometric="rgb",
            compression="jpeg",
            rowsperstrip=16,
            description=f"{head} -> {thumbnail.shape[1]}x{thumbnail.shape[0]} - ",
            metadata=None,
            software=False,
        )
        for level, down in ((quarter, 4), (sixteenth, 16)):
            image = level[: scene.height // down, : scene.width // down]
            height, width = image.shape[:2]
            tiles = _tiles(image, quality)
            write(tiles, width, height, f"{head} -> {width}x{height} {kind}{scale}")
    return buffer.getvalue()


def _level_0(scene: Scene, quarter: RGB, quality: int) -> Iterator[bytes]:
    """Encoded tiles of level 0, row by row; fills `quarter` as a side effect."""
    for index, band in enumerate(bands(scene, BAND_PX)):
        small = _quarter(band)
        top = index * BAND_PX // 4
        quarter[top : top + small.shape[0]] = small
        yield from _tiles(band, quality)


def _tiles(image: RGB, quality: int) -> Iterator[bytes]:
    """JPEG (4:2:0) of every tile, row by row; tiles at the border repeat their edge pixels."""
    height, width = image.shape[:2]
    for y in range(0, height, TILE_PX):
        for x in range(0, width, TILE_PX):
            tile = image[y : y + TILE_PX, x : x + TILE_PX]
            short = (TILE_PX - tile.shape[0], TILE_PX - tile.shape[1])
            if any(short):
                tile = np.pad(tile, ((0, short[0]), (0, short[1]), (0, 0)), mode="edge")
            pixels = np.ascontiguousarray(tile)
            yield bytes(
                imagecodecs.jpeg8_encode(pixels, level=quality, colorspace="RGB", subsampling="420")
            )


def _quarter(image: RGB) -> RGB:
    """Image reduced to a quarter of each side by the mean."""
    return np.asarray(Image.fromarray(image).reduce(4))


def _thumbnail(image: RGB) -> Image.Image:
    picture = Image.fromarray(image)
    picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX)
    return picture


def _truth(scene: Scene, patient: Patient, name: str, usable: NDArray[np.bool_]) -> dict[str, Any]:
    layout = scene.layout
    cell_mm2 = (MAP_PX * scene.mpp / 1000) ** 2
    tissue_mm2 = float(layout.tissue.sum()) * cell_mm2
    inside = max(float(layout.tissue.sum()), 1)
    return {
        "patient": patient.patient,
        "slide": name,
        "idh": patient.idh,
        **asdict(scene.look),
        "tissue_mm2": tissue_mm2,
        "tissue_fraction": float(layout.tissue.mean()),
        "usable_fraction": float(usable.mean()),
        "drawn_density_per_mm2": scene.cells.tumor_count / max(tissue_mm2, cell_mm2),
        "drawn_necrosis_fraction": float((layout.necrosis > 0.5)[layout.tissue].sum() / inside),
        "drawn_nests": scene.cells.nest_count,
        "pens": ",".join(sorted(scene.marks.pens)),
        "fold": scene.marks.fold is not None,
    }
