"""One tool's way to save the tiles of some slides: 1024 px at 10x (1 um), half of them tissue.

    PYTHON benchmarks/tile_peer_jobs.py NAME --out DIR --workers 2 SLIDE...

PYTHON is that of the tool's own environment; tile_peers.py runs this and measures it. Each job is
what the tool's own manual does, with its own tissue detection and its own way to save; tools that
have no parallelism of their own get a pool of processes over slides. What was set beyond that is
in each docstring. Prints one JSON line: how many tiles were saved.
"""
# ruff: noqa: PLC0415  each environment has its own tool only

import argparse
import dataclasses
import io
import json
import os
import tarfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

TILE_PX, MPP, TISSUE = 1024, 1.0, 0.5
Job = Callable[[Sequence[str], Path, int], dict[str, Any]]


def main() -> None:
    """Run the job."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=JOBS)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("slides", nargs="+")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    slides = [os.path.abspath(slide) for slide in args.slides]
    with redirect_stdout(open(os.devnull, "w")):
        found = JOBS[args.name](slides, args.out.resolve(), args.workers)
    print(json.dumps(found))


def over_slides(one: Callable[[Any], None], items: Sequence[Any], workers: int) -> None:
    """A pool of processes, each slide by itself; everything is imported before they fork."""
    if workers == 1:
        for item in items:
            one(item)
        return
    with get_context("fork").Pool(workers) as pool:
        pool.map(one, items, chunksize=1)


def files(out: Path, ending: str) -> dict[str, Any]:
    """How many tiles lie there."""
    return {"tiles": sum(1 for _ in out.rglob(f"*{ending}"))}


# ---- idhray without Ray: what bounds it


def raw(slides: Sequence[str], out: Path, workers: int) -> dict[str, Any]:
    """Read, encode (JPEG q95, 4:2:0) and write the tiles that idhray takes, in one plain loop.

    Its own seconds are said for the mask, and for the decoding, encoding and writing.
    """
    import numpy as np
    import simplejpeg

    from idhray.slides.direct import DirectSlide
    from idhray.slides.tiling import plan_tiles
    from idhray.slides.tiling_settings import TilingSettings

    settings = TilingSettings(select="all")
    said = {"tiles": 0, "mask_s": 0.0, "tiles_s": 0.0}
    for path in slides:
        begin = time.process_time()
        with DirectSlide(path) as slide, (out / f"{Path(path).stem}.bin").open("wb") as file:
            places = [(tile.x_l0, tile.y_l0) for tile in plan_tiles(slide, settings).tiles]
            masked = time.process_time()
            for _, pixels in slide.regions(places, (TILE_PX, TILE_PX), MPP):
                tile = np.ascontiguousarray(pixels)
                file.write(simplejpeg.encode_jpeg(tile, quality=95, colorsubsampling="420"))
                said["tiles"] += 1
        said["mask_s"] += masked - begin
        said["tiles_s"] += time.process_time() - masked
    return said


# ---- peers


def histolab(slides: Sequence[str], out: Path, workers: int) -> dict[str, Any]:
    """GridTiler in TissueMask, PNG; its tiles need 50 % of the mask instead of its fixed 80 %."""
    from histolab import tiler

    tiler.COORDS_WITHIN_EXTRACTION_MASK_THRESHOLD = TISSUE
    over_slides(partial(_histolab, out=out), slides, workers)
    return files(out, ".png")


def _histolab(path: str, out: Path) -> None:
    from histolab.masks import TissueMask
    from histolab.slide import Slide
    from histolab.tiler import GridTiler

    tiler = GridTiler((TILE_PX, TILE_PX), mpp=MPP, check_tissue=True, tissue_percent=100 * TISSUE)
    slide = Slide(path, processed_path=out / Path(path).stem, use_largeimage=True)
    tiler.extract(slide, TissueMask(), log_level="ERROR")


def wsi_preprocessing(slides: Sequence[str], out: Path, workers: int) -> dict[str, Any]:
    """deroneriksson/python-wsi-preprocessing, on PYTHONPATH: tiles of its summary, PNG.

    The variant without intermediate files. It knows level 0 only: tiles are as wide there as 1024
    um, and brought to 1024 px before they are saved.
    """
    from deephistopath.wsi import slide, tiles

    os.chdir(out)
    folder = Path(slide.SRC_TRAIN_DIR)
    folder.mkdir(parents=True)
    for number, path in enumerate(slides, start=1):
        (folder / f"{slide.TRAIN_PREFIX}{number:03d}.svs").symlink_to(path)
    as_in_file = tiles.tile_to_pil_tile
    tiles.tile_to_pil_tile = lambda tile: as_in_file(tile).resize((TILE_PX, TILE_PX), BOX)
    over_slides(_wsi_preprocessing, range(1, len(slides) + 1), workers)
    return files(Path(slide.TILE_DIR), ".png")


BOX = 4  # PIL.Image.BOX, in all its versions


def _wsi_preprocessing(number: int) -> None:
    from deephistopath.wsi import slide, tiles

    opened = slide.open_slide(slide.get_training_slide_path(number))
    side = round(TILE_PX * MPP / float(opened.properties["openslide.mpp-x"]))
    tiles.ROW_TILE_SIZE = tiles.COL_TILE_SIZE = side
    for tile in tiles.dynamic_tiles(number).tiles:
        whole = tile.o_c_e - tile.o_c_s == tile.o_r_e - tile.o_r_s == side
        if whole and tile.tissue_percentage >= 100 * TISSUE:
            tile.save_tile()


def tiatoolbox(slides: Sequence[str], out: Path, workers: int) -> dict[str, Any]:
    """SlidingWindowPatchExtractor with its Otsu mask; saved by its imwrite as JPEG (95)."""
    import tiatoolbox.tools.patchextraction  # noqa: F401

    over_slides(partial(_tiatoolbox, out=out), slides, workers)
    return files(out, ".jpg")


def _tiatoolbox(path: str, out: Path) -> None:
    from tiatoolbox.tools.patchextraction import SlidingWindowPatchExtractor
    from tiatoolbox.utils.misc import imwrite
    from tiatoolbox.wsicore.wsireader import WSIReader

    patches = SlidingWindowPatchExtractor(
        input_img=WSIReader.open(path), input_mask="otsu", patch_size=(TILE_PX, TILE_PX),
        resolution=MPP, units="mpp", min_mask_ratio=TISSUE, within_bound=True,
    )  # fmt: skip
    folder = out / Path(path).stem
    folder.mkdir()
    for number, patch in enumerate(patches):
        imwrite(folder / f"{number}.jpg", patch)


def hs2p(slides: Sequence[str], out: Path, workers: int, *, backend: str) -> dict[str, Any]:
    """Its batch call, HSV mask, tiles saved: a TAR of JPEGs (90, its default) a slide."""
    from hs2p import (
        DEFAULT_MASK_SAMPLING,
        SegmentationConfig,
        SlideSpec,
        TilingConfig,
        tile_slides,
    )

    tile_slides(
        [SlideSpec(sample_id=Path(path).stem, image_path=Path(path)) for path in slides],
        tiling=TilingConfig(
            requested_spacing_um=MPP, requested_tile_size_px=TILE_PX, tolerance=0.05, overlap=0.0,
            backend=backend, mask_backend=backend,
        ),
        segmentation=SegmentationConfig(method="hsv"),
        masks=dataclasses.replace(DEFAULT_MASK_SAMPLING, min_coverage={"tissue": TISSUE}),
        output_dir=out, num_workers=workers, save_tiles=True,
    )  # fmt: skip
    archives = [tarfile.open(path) for path in out.rglob("*.tar")]  # noqa: SIM115
    return {"tiles": sum(len(archive.getnames()) for archive in archives)}


def ratiopath(slides: Sequence[str], out: Path, workers: int) -> dict[str, Any]:
    """Its manual's mask-first pipeline on Ray Data, ending in a Parquet table.

    Masks from the smallest level, not from level 0, by its `tissue_mask`. It reads the level that
    is nearest in resolution: tiles of 2048 px are halved, and stored as JPEG (95), not as tensors.
    """
    import pyarrow.parquet as pq
    import ray
    from ratiopath.openslide import OpenSlide

    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
    by_extent: dict[int, list[str]] = {}
    for path in slides:
        with OpenSlide(path) as slide:
            mpp = slide.slide_resolution(slide.closest_level(MPP))[0]
        by_extent.setdefault(round(TILE_PX * MPP / mpp), []).append(path)
    (out / "masks").mkdir()
    for extent, paths in by_extent.items():
        _ratiopath(paths, extent, out)
    return {"tiles": sum(pq.read_metadata(path).num_rows for path in out.rglob("*.parquet"))}


def _ratiopath(paths: list[str], extent: int, out: Path) -> None:
    from ratiopath.ray import read_slides
    from ratiopath.tiling import grid_tiles, read_slide_tiles, tile_overlay_overlap
    from ray.data.expressions import col
    from shapely.geometry import box

    mib = 1024**2
    corner = [col("tile_x"), col("tile_y")]

    def with_mask(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "mask_path": _ratiopath_mask(row["path"], out / "masks")}

    def grid(row: dict[str, Any]) -> list[dict[str, Any]]:
        size, tile = (row["extent_x"], row["extent_y"]), (extent, extent)
        places = grid_tiles(slide_extent=size, tile_extent=tile, stride=tile, last="drop")
        return [{**row, "tile_x": int(x), "tile_y": int(y)} for x, y in places]

    def enough(row: dict[str, Any]) -> bool:
        return (dict(row["overlap"]).get("255") or 0.0) >= TISSUE

    def encoded(row: dict[str, Any]) -> dict[str, Any]:
        return {name: row[name] for name in ("path", "tile_x", "tile_y")} | {
            "image": _jpeg(row["tile"])
        }

    tiles = (
        read_slides(paths, mpp=MPP, tile_extent=extent, stride=extent)
        .map(with_mask, num_cpus=1, memory=512 * mib)
        .flat_map(grid, num_cpus=0.2, memory=128 * mib)
        .repartition(target_num_rows_per_block=128)
    )
    overlap = tile_overlay_overlap(
        box(0, 0, extent, extent), col("mask_path"), *corner, col("mpp_x"), col("mpp_y")
    )
    kept = tiles.with_column("overlap", overlap, num_cpus=1, memory=512 * mib).filter(enough)
    pixels = read_slide_tiles(
        col("path"), *corner, col("tile_extent_x"), col("tile_extent_y"), col("level")
    )
    kept.with_column("tile", pixels, num_cpus=1, memory=4096 * mib).map(encoded).write_parquet(
        str(out / "tiles")
    )


def _ratiopath_mask(path: str, folder: Path) -> str:
    import openslide
    import pyvips
    from ratiopath.masks import tissue_mask, write_big_tiff

    with openslide.OpenSlide(path) as slide:
        level = slide.level_count - 1
        mpp = float(slide.properties["openslide.mpp-x"]) * slide.level_downsamples[level]
    mask = tissue_mask(pyvips.Image.tiffload(path, page=level), (mpp, mpp)).copy()
    mask.remove("image-description")  # the slide's, which says the resolution of its level 0
    file = folder / f"{Path(path).stem}.tiff"
    write_big_tiff(mask, file, mpp, mpp)
    return str(file)


def _jpeg(pixels: Any) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    tile = Image.fromarray(pixels).resize((TILE_PX, TILE_PX), BOX)
    tile.save(buffer, "JPEG", quality=95, subsampling="4:2:0")
    return buffer.getvalue()


JOBS: dict[str, Job] = {
    "raw": raw,
    "histolab": histolab,
    "wsi-preprocessing": wsi_preprocessing,
    "tiatoolbox": tiatoolbox,
    "ratiopath": ratiopath,
    "hs2p-openslide": partial(hs2p, backend="openslide"),
    "hs2p-cucim": partial(hs2p, backend="cucim"),
}

if __name__ == "__main__":
    main()
