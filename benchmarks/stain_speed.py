"""What stain normalization costs beside the other work on a tile, what it finds, how it looks.

    python benchmarks/stain_speed.py --data FOLDER [--out PICTURE.png] [--slides 6]

Made-up slides whose stains are known are drawn twice: with a stain between Ruifrok's and Macenko's
vectors, and with Macenko's. Printed are the degrees between true and found vectors, and the mean
difference of both pictures, in gray values, before and after normalization.
`--data` holds he_glioma/*.png (tiles of 1024 px) and slides/CMU-1-Small-Region.svs. The picture has
a row for each slide: as it is, Macenko, Vahadane, Reinhard, channels stretched. Where torchstain is
installed, its Macenko normalization (NumPy) of the same tile is timed, too.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray
from PIL import Image

from idhray.images import RGB, decode, encode
from idhray.phantom.patients import PhantomSettings, phantom_patients
from idhray.phantom.render import MACENKO, RUIFROK, Scene, bands
from idhray.phantom.slide import make_scene
from idhray.slides.patches import channel_stretch
from idhray.slides.reader import Slide
from idhray.slides.stain.normalize import (
    STAIN_METHODS,
    Recolor,
    StainMethod,
    find_stains,
    fit_stain,
    target_stains,
    tissue_pixels,
)
from idhray.slides.stain.target import StainTarget
from idhray.slides.tissue.mask import tissue_mask

TILES, PIXELS = 24, 4096  # as cut-patches draws them


def main(*, data: Path, out: Path | None = None, runs: int = 15, slides: int = 6) -> None:
    """Print milliseconds of CPU, medians; then what is found on made-up slides.

    Args:
        data: Folder of real pictures.
        out: Where the picture goes.
        runs: Of each measurement.
        slides: Made-up ones.
    """
    real = real_tiles(data)
    tile = real["glioma"][0]
    patches = [np.ascontiguousarray(tile[y : y + 256, x : x + 256]) for y, x in corners(1024, 256)]
    jpeg = encode(tile, "jpeg")
    costs: dict[str, Callable[[], object]] = {
        "decode the tile (JPEG)": lambda: decode(jpeg),
        "tissue mask of the tile": lambda: tissue_mask(tile),
        "encode its 16 patches (PNG)": lambda: [encode(patch) for patch in patches],
        "stretch its channels": lambda: channel_stretch(tile),
        "draw its pixels for a fit": lambda: draw(tile),
    }
    sample = np.concatenate([draw(t) for t in real["glioma"]] * (TILES // 3))
    for method, recolor in recolorings(sample).items():
        costs[f"{method}: map its 16 patches"] = lambda f=recolor: [f(patch) for patch in patches]
        costs[f"{method}: map the tile at once"] = lambda f=recolor: f(tile)
        costs[f"{method}: fit a slide, {len(sample)} pixels"] = lambda m=method: fit_stain(
            sample, m, StainTarget()
        )
    try:
        peer = import_module("torchstain.numpy.normalizers.macenko").NumpyMacenkoNormalizer()
        costs["torchstain: fit and map the tile"] = lambda: peer.normalize(tile, stains=False)
    except ImportError:
        pass
    for name, work in costs.items():
        print(f"{name} | {cpu_ms(work, runs):.1f} ms")
    known_stains(slides)
    if out:
        rows = [side_by_side(tiles) for tiles in real.values()]
        Image.fromarray(np.concatenate(rows)).save(out)


def real_tiles(data: Path) -> dict[str, list[RGB]]:
    """A few tiles of 1024 px of each slide."""
    glioma = sorted((data / "he_glioma").glob("*.png"))
    with Slide(str(data / "slides" / "CMU-1-Small-Region.svs")) as slide:
        skin = slide.region(400, 600, (1024, 1024), 1.0)
    return {
        "glioma": [np.asarray(Image.open(path).convert("RGB")) for path in glioma],
        "skin": [skin],
    }


def known_stains(slides: int) -> None:
    """Print what is found on made-up slides, and how alike two stains of one become."""
    settings = PhantomSettings(width_px=2048, height_px=2048, pen_fraction=0, fold_fraction=0)
    errors: dict[StainMethod, list[list[float]]] = {"macenko": [], "vahadane": []}
    apart: dict[str, list[float]] = {name: [] for name in ("none", *STAIN_METHODS)}
    for patient in phantom_patients(slides, settings, 0):
        scene = make_scene(patient, 0, settings, 0)
        pair = [drawn_with(scene, mix) for mix in (scene.look.stain_mix - 0.5, 1.0)]
        for image, mix in zip(pair, (scene.look.stain_mix - 0.5, 1.0), strict=True):
            true = (1 - mix) * RUIFROK + mix * MACENKO
            for method, found in errors.items():
                stains = find_stains(draw(image), method, target_stains(StainTarget()))
                found.append([degrees(a, b) for a, b in zip(stains.vectors, true, strict=True)])
        for name, distances in apart.items():
            one, two = (
                image if name == "none" else recolorings(draw(image))[name](image) for image in pair
            )
            distances.append(float(np.abs(one.astype(np.int16) - two).mean()))
    for name, found in errors.items():
        h, e = np.mean(found, axis=0)
        print(f"{name}: {h:.1f} degrees off for hematoxylin, {e:.1f} for eosin")
    for name, distances in apart.items():
        print(f"{name}: the two stains of a slide differ by {np.mean(distances):.1f}")


def drawn_with(scene: Scene, stain_mix: float) -> RGB:
    """The middle of a made-up slide."""
    changed = replace(scene, look=replace(scene.look, stain_mix=stain_mix))
    whole = np.concatenate(list(bands(changed)))
    return np.ascontiguousarray(whole[512:1536, 512:1536])


def degrees(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def corners(tile_px: int, patch_px: int) -> list[tuple[int, int]]:
    steps = range(0, tile_px, patch_px)
    return [(y, x) for y in steps for x in steps]


def draw(tile: RGB) -> RGB:
    return tissue_pixels(tile, PIXELS, np.random.default_rng(0), min_object_px=500)


def recolorings(pixels: RGB) -> dict[str, Recolor]:
    return {method: fit_stain(pixels, method, StainTarget()) for method in STAIN_METHODS}


def side_by_side(tiles: Sequence[RGB]) -> RGB:
    """The upper left quarter of the first tile, before and after."""
    found = recolorings(np.concatenate([draw(tile) for tile in tiles]))
    images = [tiles[0], *(recolor(tiles[0]) for recolor in found.values())]
    images.append(channel_stretch(tiles[0]))
    return np.concatenate([image[:512, :512] for image in images], axis=1)


def cpu_ms(work: Callable[[], object], runs: int) -> float:
    """The median of several runs."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1000 * float(np.median(times))


if __name__ == "__main__":
    tyro.cli(main)
