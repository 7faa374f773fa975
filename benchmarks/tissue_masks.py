"""Tissue masks against the phantom's true ones, and on real pictures: Liu's filters and `robust`.

    python benchmarks/tissue_masks.py [--slides 12] [--width-px 12288 --height-px 10240]
        [--data FOLDER] [--out FOLDER]

Made-up slides with pens on three quarters of them and folds on half: intersection over union with
the true mask, recall of pen and fold (their share that the mask leaves out), and how much usable
tissue is lost, in per cent. Pen and fold count where they are more than 15 % opaque.
`--data` holds slides/ with real pictures; with `--out` contact sheets of all are written there.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tyro
from numpy.typing import NDArray
from PIL import Image

from idhray.images import RGB, Mask, decode
from idhray.phantom.marks import COVERED
from idhray.phantom.patients import Patient, PhantomSettings, phantom_patients
from idhray.phantom.slide import make_scene, make_slide
from idhray.slides.reader import Slide
from idhray.slides.tissue.mask import tissue_mask
from idhray.slides.tissue.robust import Reason, tissue_reasons
from idhray.slides.tissue.sheet import contact_sheet

MASK_MPP = 16.0
METHODS: dict[str, Callable[[RGB], Mask]] = {
    "liu": tissue_mask,
    "robust": lambda image: np.asarray(tissue_reasons(image) == Reason.TISSUE),
}
COLUMNS = ("IoU", "pen recall", "fold recall", "tissue lost")


@dataclass(frozen=True)
class Truth:
    """One made-up slide at 16 um per pixel."""

    thumbnail: RGB
    usable: Mask
    pen: Mask
    fold: Mask


def main(
    *,
    slides: int = 12,
    width_px: int = 4096,
    height_px: int = 3072,
    seed: int = 0,
    data: Path | None = None,
    out: Path | None = None,
) -> None:
    """Print a table of the phantom's slides and the shares of the real pictures.

    Args:
        slides: Made-up slides.
        width_px: Of level 0 at 20x.
        height_px: The same.
        seed: Of the slides.
        data: Folder with slides/pens/*.png and slides/CMU-1-Small-Region.svs.
        out: Folder for contact sheets.
    """
    settings = PhantomSettings(
        pen_fraction=0.75, fold_fraction=0.5, width_px=width_px, height_px=height_px
    )
    rows = []
    print("slide", *(f"{name} {column}" for name in METHODS for column in COLUMNS), sep=" | ")
    for patient in phantom_patients(slides, settings, seed):
        truth = phantom_truth(patient, settings, seed)
        rows.append([x for find in METHODS.values() for x in scores(find(truth.thumbnail), truth)])
        print(patient.patient, *(f"{100 * x:.1f}" for x in rows[-1]), sep=" | ")
        write_sheet(out, patient.patient, truth.thumbnail)
    print("mean", *(f"{100 * x:.1f}" for x in np.nanmean(rows, axis=0)), sep=" | ")
    for name, image in [] if data is None else real_pictures(data / "slides"):
        reasons = tissue_reasons(image)
        shares = {reason.name.lower(): float((reasons == reason).mean()) for reason in Reason}
        told = ", ".join(f"{key} {100 * share:.1f}" for key, share in shares.items())
        print(f"{name}: liu tissue {100 * tissue_mask(image).mean():.1f}; robust {told}")
        write_sheet(out, name, image)
    for name, find in METHODS.items():
        print(f"{name}: {cpu_seconds(find):.3f} CPU-s for 1250 x 1260 px")


def phantom_truth(patient: Patient, settings: PhantomSettings, seed: int) -> Truth:
    """A slide written, read back through OpenSlide, and its true maps at the same scale."""
    made = make_slide(patient, 0, settings, seed)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{made.name}.svs"
        path.write_bytes(made.svs)
        with Slide(str(path)) as slide:
            size = (
                int(settings.width_px * settings.mpp / MASK_MPP),
                int(settings.height_px * settings.mpp / MASK_MPP),
            )
            thumbnail = slide.region(0, 0, size, MASK_MPP)
    marks = make_scene(patient, 0, settings, seed).marks
    usable = decode(made.mask_png)[..., 0]
    empty = np.zeros(usable.shape, np.uint8)
    pens = np.maximum.reduce([empty, *marks.pens.values()])
    fold = empty if marks.fold is None else marks.fold
    return Truth(
        thumbnail=thumbnail,
        usable=_reduced(usable, size) > 127,
        pen=_reduced(pens, size) > 255 * COVERED,
        fold=_reduced(fold, size) > 255 * COVERED,
    )


def _reduced(layer: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(layer).resize(size, Image.Resampling.BOX))


def scores(mask: Mask, truth: Truth) -> list[float]:
    """Intersection over union, recalls of pen and fold, usable tissue lost; nan without any."""
    union = np.count_nonzero(mask | truth.usable)
    return [
        np.count_nonzero(mask & truth.usable) / union if union else np.nan,
        _left_out(mask, truth.pen),
        _left_out(mask, truth.fold),
        _left_out(mask, truth.usable),
    ]


def _left_out(mask: Mask, area: Mask) -> float:
    return float(1 - mask[area].mean()) if area.any() else np.nan


def real_pictures(folder: Path) -> list[tuple[str, RGB]]:
    """The pen pictures as they are (their resolutions are not known), and a whole slide."""
    found = [
        (path.stem, np.asarray(Image.open(path).convert("RGB")))
        for path in sorted((folder / "pens").glob("*.png"))
    ]
    with Slide(str(folder / "CMU-1-Small-Region.svs")) as slide:
        width, height = (int(side * slide.mpp / MASK_MPP) for side in slide.size_l0)
        found.append((slide.name, slide.region(0, 0, (width, height), MASK_MPP)))
    return found


def write_sheet(out: Path | None, name: str, image: RGB) -> None:
    """What `robust` makes of the picture, as out/name.png."""
    if out is None:
        return
    out.mkdir(parents=True, exist_ok=True)
    reasons = tissue_reasons(image)
    sheet = contact_sheet(image, reasons == Reason.TISSUE, reasons=reasons, side_px=700)
    Image.fromarray(sheet).save(out / f"{name}.png")


def cpu_seconds(find: Callable[[RGB], Mask], runs: int = 7) -> float:
    """The median of the time for a made-up thumbnail of 40 % tissue with a stroke."""
    random = np.random.default_rng(0)
    image = np.full((1250, 1260, 3), 243.0)
    image[200:900, 200:1100] *= np.exp(-random.normal([0.3, 0.6, 0.3], 0.08, (700, 900, 3)))
    image[100:160, 100:1000] *= np.array([0.15, 0.53, 0.47])
    image = np.rint(np.clip(image + random.normal(0, 1, image.shape), 0, 255)).astype(np.uint8)
    times = []
    for _ in range(runs):
        start = time.process_time()
        find(image)
        times.append(time.process_time() - start)
    return float(np.median(times))


if __name__ == "__main__":
    tyro.cli(main)
