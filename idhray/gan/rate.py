"""Seconds of a training before it runs, by steps timed along its schedule."""

import time

import numpy as np
import torch

from idhray.chance import generator
from idhray.gan.architectures import architecture_of
from idhray.gan.config import CLASS_COUNT, GanSettings, is_conditional
from idhray.gan.growth import Growth
from idhray.gan.run import Run
from idhray.gan.trainer import new_run

POINTS = 8
"""Points of the schedule at which a step is timed; networks that grow slow down on the way."""
IMAGES = 128
"""Random images to train on."""
STEPS = 3
"""Steps that are timed at a point; the fastest one counts, as others may have waited."""
SLOW_S = 5.0
"""Seconds of a first step that is not timed again, though it also enlarged the networks."""


def training_seconds(settings: GanSettings, *, device: str, threads: int) -> float:
    """Seconds of one training on a device, measured on random images of the right size.

    Args:
        settings: Settings of the training.
        device: cpu or cuda.
        threads: Threads of the steps on a CPU.
    """
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        shape = (IMAGES, settings.resolution_px, settings.resolution_px, settings.channels)
        images = generator(0, "rate").integers(0, 256, shape, dtype=np.uint8)
        classes = (
            tuple(n % CLASS_COUNT for n in range(IMAGES)) if is_conditional(settings) else None
        )
        run = new_run(
            images,
            settings,
            seed=0,
            idh="any",
            patients=("random",) * IMAGES,
            classes=classes,
            device=device,
        )
        part = settings.total_kimg * 1000 / POINTS
        rates: dict[Growth, float] = {}
        seconds = 0.0
        for point in range(POINTS):
            images_shown = CLASS_COUNT * round((point + 0.5) * part / CLASS_COUNT)
            growth = architecture_of(settings).growth_at(settings, images_shown)
            if growth not in rates:
                rates[growth] = _seconds_of_image(run, images_shown)
            seconds += rates[growth] * part
        return seconds
    finally:
        torch.set_num_threads(threads_before)


def _seconds_of_image(run: Run, images_shown: int) -> float:
    """Seconds of one image at a point of the schedule."""
    run.images_shown = images_shown
    first = _step_rate(run)
    slow = first * (run.images_shown - images_shown) > SLOW_S
    return first if slow else min(_step_rate(run) for _ in range(STEPS))


def _step_rate(run: Run) -> float:
    """Seconds of one image in the next step."""
    before, start = run.images_shown, time.perf_counter()
    run.step()
    if run.device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / (run.images_shown - before)
