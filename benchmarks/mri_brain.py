"""Brain extraction on a real patient: agreement with given masks, CPU-seconds, memory, pictures.

    python benchmarks/mri_brain.py --data FOLDER [--out FOLDER] [--threads 1] [--five-folds]

FOLDER is named after its patient: PATIENT_t1c.nii.gz, PATIENT_fla.nii.gz and a mask of each,
PATIENT_hdbet_mask_native_t1c.nii.gz and so on. Each tool runs in a process of its own, twice: the
second run has its networks loaded. HD-BET runs one network without mirror images (its fast mode);
with --five-folds also all five, which takes minutes.
"""

import json
import multiprocessing
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import tyro
from matplotlib.axes import Axes

from idhray.mri.brain.extraction import extract_brain
from idhray.mri.brain.gate import (
    GateSettings,
    header_overlap,
    mask_problems,
    measured_mask,
    pair_problems,
)
from idhray.mri.brain.settings import PRESETS, BrainSettings
from idhray.mri.nifti.reader import read_volume
from idhray.mri.volume import Volume, VolumeMask, canonical, canonical_mask, mask_ml

SEQUENCES = ("t1c", "fla")
COLORS = ("cyan", "lime", "red", "orange", "magenta")


def main(data: Path, out: Path | None = None, threads: int = 1, five_folds: bool = False) -> None:
    """Print a JSON line per tool and scan, per two tools, and per tool for its two scans."""
    masks: dict[str, dict[str, VolumeMask]] = {name: {} for name in ("given", *tools(five_folds))}
    for sequence in SEQUENCES:
        masks["given"][sequence] = given_mask(data, sequence)
        for name, settings in tools(five_folds).items():
            # A process of its own, so that its peak of memory is that of one tool.
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=context) as process:
                run = process.submit(measured, data, sequence, replace(settings, threads=threads))
                figures, mask = run.result()
            masks[name][sequence] = mask
            agreement = {"dice_with_given": round(dice(mask, masks["given"][sequence]), 4)}
            print(json.dumps({"tool": name, "scan": sequence} | agreement | figures), flush=True)
        if out is not None:
            picture(data, sequence, {name: mask[sequence] for name, mask in masks.items()}, out)
    compare(data, masks)


def tools(five_folds: bool) -> dict[str, BrainSettings]:
    """What is compared."""
    fast = PRESETS["hdbet-fast"]
    found = {
        "deepbet": PRESETS["default"],
        "hdbet 1 fold": fast,
        "hdbet 1 fold bfloat16": replace(fast, hdbet_precision="bfloat16"),
    }
    if five_folds:
        found["hdbet 5 folds bfloat16"] = replace(fast, hdbet_folds=5, hdbet_precision="bfloat16")
    return found


def measured(
    data: Path, sequence: str, settings: BrainSettings
) -> tuple[dict[str, object], VolumeMask]:
    """Figures of one tool on one scan, and its mask."""
    volume, seconds = scan(data, sequence), []
    for _ in range(2):
        start = time.process_time()
        found = extract_brain(volume, settings)
        seconds.append(round(time.process_time() - start, 1))
    figures, _ = measured_mask(volume, found.mask)
    return {
        "ml": round(figures.ml),
        "largest_face": round(max(figures.face_fractions), 3),
        "contrast": round(figures.contrast, 3),
        "problems": mask_problems(figures, GateSettings()),
        "cpu_s_first": seconds[0],
        "cpu_s": seconds[1],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }, found.mask


def compare(data: Path, masks: dict[str, dict[str, VolumeMask]]) -> None:
    """Print how tools agree with one another, and each tool's two masks with each other."""
    names = list(masks)
    for k, name in enumerate(names):
        for other in names[k + 1 :]:
            agreement = {s: round(dice(masks[name][s], masks[other][s]), 4) for s in SEQUENCES}
            print(json.dumps({"tools": [name, other], "dice": agreement}))
        t1ce, flair = (scan(data, sequence) for sequence in SEQUENCES)
        pair = t1ce, masks[name]["t1c"], flair, masks[name]["fla"]
        print(
            json.dumps(
                {
                    "tool": name,
                    "header_overlap": round(header_overlap(*pair), 3),
                    "pair_problems": pair_problems(*pair, GateSettings()),
                    "ml": [round(mask_ml(pair[1], t1ce)), round(mask_ml(pair[3], flair))],
                }
            )
        )


def scan(data: Path, sequence: str) -> Volume:
    """CE-T1w ("t1c") or FLAIR ("fla")."""
    return read_volume(str(data / f"{data.name}_{sequence}.nii.gz"))


def given_mask(data: Path, sequence: str) -> VolumeMask:
    """The mask that lies beside a scan."""
    given = read_volume(str(data / f"{data.name}_hdbet_mask_native_{sequence}.nii.gz"))
    return extract_brain(scan(data, sequence), BrainSettings(), manifest_mask=given).mask


def dice(a: VolumeMask, b: VolumeMask) -> float:
    """Overlap of two masks, 0 to 1."""
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def picture(data: Path, sequence: str, masks: dict[str, VolumeMask], out: Path) -> None:
    """Axial, coronal and sagittal planes with the outlines of all masks."""
    volume = scan(data, sequence)
    seen = canonical(volume)
    outlines = {name: canonical_mask(mask, volume) for name, mask in masks.items()}
    figure, axes = plt.subplots(3, 5, figsize=(20, 13))
    for row, axis in enumerate((2, 1, 0)):
        places = (0.1, 0.3, 0.5, 0.7, 0.93) if axis == 2 else (0.2, 0.35, 0.5, 0.65, 0.8)
        for panel, where in zip(axes[row], places, strict=True):
            plane(panel, seen, outlines, axis, int(where * seen.voxels.shape[axis]))
    legend = ", ".join(f"{c} {name}" for c, name in zip(COLORS, masks, strict=False))
    figure.suptitle(f"{sequence}: {legend}")
    figure.tight_layout()
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / f"{sequence}.png", dpi=60)
    plt.close(figure)


def plane(
    panel: Axes, volume: Volume, outlines: dict[str, VolumeMask], axis: int, index: int
) -> None:
    """One plane; the patient's right is at the right of the picture."""
    across, up = (mm for k, mm in enumerate(volume.spacing_mm) if k != axis)
    white = np.percentile(volume.voxels, 99.5)
    image = volume.voxels.take(index, axis).T
    panel.imshow(image, cmap="gray", origin="lower", aspect=up / across, vmax=white)
    for color, mask in zip(COLORS, outlines.values(), strict=False):
        outline = mask.take(index, axis).T
        if outline.any():
            panel.contour(outline.astype(float), [0.5], colors=color, linewidths=0.8)
    panel.axis("off")


if __name__ == "__main__":
    tyro.cli(main)
