"""How fast is a classifier's training step beside a plain timm loop, and on a shared GPU?

    python -m benchmarks.classifier_step --rounds 3
    python -m benchmarks.classifier_step --device cuda --batch 64 --trials 1 2 4

Each variant trains ResNet50 on the same random images: the trainer's own loop (slots, online
augmentation, per-step rates) with the presets `liu2020` and `modern`, and a plain loop of timm with
a DataLoader in float32, gray images shown to three channels. Variants take turns, round by round;
the figure is the median over rounds of images per second, and ratios are of one round. On CUDA the
share of the bf16 matrix peak (--peak-tflops) is that of 3 times the forward FLOPs, 2 per
multiply-add; with --trials, as many processes train at once and their images are added up.
"""

import dataclasses
import json
import multiprocessing
import platform
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
import tyro
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from idhray.classify.image_set import ImageRows, ImageSet
from idhray.classify.settings import CHANNELS, PRESETS, ClassifierSettings
from idhray.classify.timm_import import import_timm
from idhray.classify.trainer import fit_classifier

FORWARD_GFLOP = 8.2 * (256 / 224) ** 2  # of ResNet50 for one image of 256 px, 2 per multiply-add


def main(
    *,
    device: str = "cpu",
    batch: int = 16,
    steps: int = 4,
    rounds: int = 3,
    trials: tuple[int, ...] = (1,),
    threads: int = 1,
    image_px: int = 256,
    peak_tflops: float = 989.0,
) -> None:
    """Time the variants in turn.

    Args:
        device: cpu or cuda.
        batch: Images of a step.
        steps: Steps of one measurement.
        rounds: Rounds.
        trials: Trainings at the same time on the device.
        threads: CPU threads of a training.
        image_px: Side length of the images.
        peak_tflops: bf16 matrix peak of the GPU; that of an H200 by default.
    """
    torch.set_num_threads(threads)
    variants = {
        "plain timm": lambda: plain_rate(device, batch, steps, image_px),
        **{name: preset_rate(name, device, batch, steps, image_px) for name in LISTED},
    }
    rates: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, run in variants.items():
            rates[name].append(run())
    for name, values in rates.items():
        ratio = median(a / b for a, b in zip(values, rates["plain timm"], strict=True))
        line = {"variant": name, "img_s": round(median(values), 2), "ratio": round(ratio, 3)}
        print(json.dumps({**line, "rounds": [round(v, 2) for v in values]}))
    for number in trials if device == "cuda" else ():
        measured = shared(
            number, device, batch, steps=steps, image_px=image_px, peak_tflops=peak_tflops
        )
        print(json.dumps(measured))
    print(json.dumps({"machine": platform.processor(), "torch": torch.__version__}))


LISTED = ("liu2020", "modern")


def settings_of(name: str, batch: int, image_px: int) -> ClassifierSettings:
    """A preset with random weights and one epoch."""
    return dataclasses.replace(
        PRESETS[name], weights="random", batch_size=batch, epochs=1, image_px=image_px
    )


def random_rows(settings: ClassifierSettings, number: int) -> ImageRows:
    """Random images of as many patients."""
    channels, side = CHANNELS[settings.channels], settings.image_px
    shape = (number, side, side) if channels == 1 else (number, side, side, channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    labels = np.arange(number, dtype=np.int8) % 2
    patients = np.array([f"P{n}" for n in range(number)])
    return ImageSet(pixels, labels, patients, np.ones(number, np.int64)).view()


def preset_rate(
    name: str, device: str, batch: int, steps: int, image_px: int
) -> Callable[[], float]:
    """Measurement of the trainer with a preset; validation of two images is part of it."""
    settings = settings_of(name, batch, image_px)
    real = random_rows(settings, batch * (steps + 1))

    def run() -> float:
        start = 0.0

        def after_first(metrics: object, state: object) -> None:
            nonlocal start
            start = start or _now(device)

        whole = dataclasses.replace(settings, epochs=2)
        fit_classifier(
            real, None, real.take(slice(0, 2)), whole, seed=0, steps_per_epoch=steps,
            device=device, on_epoch=after_first,
        )  # fmt: skip
        return batch * steps / (_now(device) - start)

    return run


def plain_rate(device: str, batch: int, steps: int, image_px: int) -> float:
    """A plain loop: timm's network, a DataLoader, Adam, float32."""
    settings = settings_of("liu2020", batch, image_px)
    rows = random_rows(settings, batch * steps)
    data = TensorDataset(
        torch.from_numpy(rows.pixels(slice(None))), torch.from_numpy(rows.labels).long()
    )
    network = import_timm().create_model("resnet50", num_classes=2, drop_rate=0.5).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-5)
    network.train()
    start = 0.0
    for _ in range(2):
        start = _now(device)
        for images, labels in DataLoader(data, batch_size=batch, shuffle=True):
            x = images.to(device)[:, None].expand(-1, 3, -1, -1).float() / 255
            optimizer.zero_grad()
            F.cross_entropy(network((x - 0.45) / 0.226), labels.to(device)).backward()
            optimizer.step()
    return batch * steps / (_now(device) - start)


def shared(
    number: int, device: str, batch: int, *, steps: int, image_px: int, peak_tflops: float
) -> dict[str, object]:
    """Images per second of several trainings on one GPU, by the preset `modern`."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(number) as pool:
        arguments = [("modern", device, batch, 10 * steps, image_px)] * number
        total = sum(pool.starmap(_rate_in_process, arguments))
    tflops = 3 * FORWARD_GFLOP * (image_px / 256) ** 2 * total / 1000
    share = tflops / peak_tflops
    return {"trials": number, "img_s": round(total, 1), "share_of_bf16_peak": round(share, 3)}


def _rate_in_process(name: str, device: str, batch: int, steps: int, image_px: int) -> float:
    return preset_rate(name, device, batch, steps, image_px)()


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()  # other processes share the CPUs


if __name__ == "__main__":
    tyro.cli(main)
