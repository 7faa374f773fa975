"""How long does the search for copies take, of which steps, and how much memory?

    python benchmarks/fidelity_speed.py [--side 64] [--train 2000] [--generated 1000]
        [--symmetry mirror] [--features 240] [--device cpu] [--threads 1]

Images are smooth random fields in color, a tenth of the generated ones copies. Prints one JSON
object: seconds of the processor (of the clock on another device) for each step, and how far the
largest memory of the process rose above that of the images alone.
"""

# ruff: noqa: E402
import os

# Before NumPy is imported: its libraries read these once.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import json
import platform
import resource
from collections.abc import Callable
from time import perf_counter, process_time
from typing import TypeVar

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from scipy.ndimage import zoom

from idhray.chance import generator
from idhray.fidelity.copies.search import EmbeddedImages, apartness, copy_limits, find_copies
from idhray.fidelity.copies.similarity import Symmetry, nearest_by_pixels, ssim_of_pairs
from idhray.fidelity.distances import nearest

Found = TypeVar("Found")


def main(
    *,
    side: int = 64,
    train: int = 2000,
    generated: int = 1000,
    symmetry: Symmetry = "mirror",
    features: int = 240,
    device: str = "cpu",
    threads: int = 1,
) -> None:
    """Print the figures with the machine that they were taken on.

    Args:
        side: Of the images, in pixels.
        train: Real images, three a patient.
        generated: Images to be judged.
        symmetry: In which forms the generator was shown its images.
        features: How many an image has.
        device: Where the pixels are compared.
        threads: Of torch.
    """
    torch.set_num_threads(threads)
    images, made = textures(train, side, 0), textures(generated, side, 1)
    made[::10] = np.roll(images[: len(made[::10])], (1, -2), (1, 2))
    names = [f"p{k // 3}" for k in range(train)]
    known = EmbeddedImages(images, vectors(train, features, 0), names, device=device)
    asked = EmbeddedImages(made, vectors(generated, features, 1), device=device)
    before, now = peak_mb(), process_time if device == "cpu" else perf_counter
    seconds: dict[str, float] = {}

    def timed(name: str, step: Callable[[], Found]) -> Found:
        start = now()
        found = step()
        seconds[name] = round(now() - start, 2)
        return found

    # The axes and components of an index are made by its first search.
    timed("index", lambda: nearest_by_pixels(made[:1], known.index, symmetry))
    pairs = timed("search by pixels", lambda: nearest_by_pixels(made, known.index, symmetry))
    timed("SSIM", lambda: ssim_of_pairs(made, known.index, pairs))
    timed("search by features", lambda: nearest(asked.features, known.features))
    real = timed("real against real", lambda: apartness(known, known, symmetry, generated))
    assert real is not None
    limits = copy_limits(real, quantile=0.01, pixel_margin=0.9, feature_margin=0.9)
    copies = timed("find_copies", lambda: find_copies(asked, known, limits, symmetry))
    print(
        json.dumps(
            {
                **{"side": side, "train": train, "generated": generated, "symmetry": symmetry},
                **{"features": features, "device": device, "threads": threads},
                "seconds": seconds,
                "copies": int(copies.copy.sum()),
                "memory_of_training_images_mb": round(images.nbytes / 2**20),
                "memory_above_mb": round(peak_mb() - before),
                "machine": platform.machine(),
                "cores": os.cpu_count(),
                "torch": torch.__version__,
            }
        )
    )


def textures(count: int, side: int, seed: int) -> NDArray[np.uint8]:
    """(count, side, side, 3) smooth random fields of some 24 blobs a side."""
    chance = generator(seed, "textures", side)
    images = np.empty((count, side, side, 3), np.uint8)
    for image in images:
        noise = chance.normal(128, 40, (25, 25, 3)).astype(np.float32)
        image[:] = zoom(noise, (side / 25, side / 25, 1), order=1).clip(0, 255)
    return images


def vectors(count: int, width: int, seed: int) -> torch.Tensor:
    """(count, width) normal numbers."""
    return torch.from_numpy(generator(seed, "vectors").normal(size=(count, width)))


def peak_mb() -> float:
    """The most memory that the process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    tyro.cli(main)
