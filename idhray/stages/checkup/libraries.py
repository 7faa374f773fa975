"""Checks of libraries: each codec decodes a tiny image, torch multiplies, weights are whole."""

import hashlib
import os
import socket
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import openslide
import simplejpeg
import tifffile
import torch

from idhray.classify.encoder_records import ENCODERS
from idhray.stages.checkup.result import CheckResult, checked, failed, ok, warning

PIXELS = np.arange(64 * 64 * 3, dtype=np.uint32).reshape(64, 64, 3).astype(np.uint8) // 4
ROUND_TRIPS: dict[str, Callable[[], Any]] = {
    "JPEG": lambda: simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(PIXELS)),
    "JPEG 2000": lambda: imagecodecs.jpeg2k_decode(imagecodecs.jpeg2k_encode(PIXELS)),
    "LZW": lambda: imagecodecs.lzw_decode(imagecodecs.lzw_encode(PIXELS.tobytes())),
    "deflate": lambda: imagecodecs.zlib_decode(imagecodecs.zlib_encode(PIXELS.tobytes())),
}
"""Codec of slides -> encoding and decoding of a tiny image."""
REINSTALL = "install idhray again in an empty environment: pip install . -c constraints.txt"
WEIGHTS_HOST = "huggingface.co"
HOST_TIMEOUT_S = 3.0


def library_findings(*, hosts: bool) -> list[CheckResult]:
    """Results of all checks of libraries and weights.

    Args:
        hosts: Also look for the host of the ImageNet weights, which takes seconds without it.
    """
    torch_finding = checked("torch", torch_works, REINSTALL)
    weights = [*encoder_weights(), *brain_weights(), *([weights_by_name()] if hosts else [])]
    return [*codecs(), torch_finding, *gpus(), *weights]


def codecs() -> list[CheckResult]:
    """One result for each codec of slides, and one for OpenSlide."""
    findings = [
        checked(f"codec {name}", partial(_codec, name, trip), REINSTALL)
        for name, trip in ROUND_TRIPS.items()
    ]
    return [*findings, checked("OpenSlide", _openslide, REINSTALL)]


def _codec(name: str, trip: Callable[[], Any]) -> CheckResult:
    size = np.frombuffer(memoryview(trip()).tobytes(), np.uint8).size
    if size != PIXELS.size:
        return failed(f"codec {name}", f"{size} values of {PIXELS.size} come back", REINSTALL)
    return ok(f"codec {name}", "decodes a tiny image")


def _openslide() -> CheckResult:
    """Read a region of a tiny pyramid."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tiny.tiff")
        tifffile.imwrite(path, np.tile(PIXELS, (4, 4, 1)), tile=(64, 64), photometric="rgb")
        with openslide.OpenSlide(path) as slide:
            pixels = np.asarray(slide.read_region((64, 64), 0, (64, 64)))[..., :3]
    if not np.array_equal(pixels, PIXELS):
        return failed("OpenSlide", "a tiny slide is read wrongly", REINSTALL)
    return ok("OpenSlide", f"{openslide.__library_version__} reads a tiny slide")


def torch_works() -> CheckResult:
    """Multiply two matrices on the CPU."""
    product = torch.ones(64, 64) @ torch.ones(64, 64)
    if not bool((product == 64).all()):
        return failed("torch", "a matrix product on the CPU is wrong", REINSTALL)
    return ok("torch", f"{torch.__version__} on {torch.get_num_threads()} threads")


def gpus() -> list[CheckResult]:
    """Multiply matrices in bfloat16 on each GPU, and sum over all of them."""
    remedy = "compare the versions of driver and torch: nvidia-smi, torch.version.cuda"
    if not torch.cuda.is_available():
        if Path("/dev/nvidia0").exists():
            return [failed("GPU", "this machine has one, torch cannot use it", remedy)]
        return [warning("GPU", "none", "the presets of the papers need one; the demos do not")]
    count = torch.cuda.device_count()
    each = [checked(f"GPU {n}", partial(_gpu, n), remedy) for n in range(count)]
    return [*each, *([checked("NCCL", partial(_sum_over, count), remedy)] if count > 1 else [])]


def _gpu(number: int) -> CheckResult:
    ones = torch.ones(64, 64, device=f"cuda:{number}", dtype=torch.bfloat16)
    if not bool((ones @ ones == 64).all()):
        return failed(f"GPU {number}", "a matrix product is wrong", "test the device")
    memory = torch.cuda.get_device_properties(number).total_memory / 2**30
    return ok(f"GPU {number}", f"{torch.cuda.get_device_name(number)}, {memory:.0f} GiB")


def _sum_over(count: int) -> CheckResult:
    tensors = [torch.ones(16, device=f"cuda:{n}") for n in range(count)]
    torch.cuda.nccl.all_reduce(tensors)
    if not all(bool((tensor == count).all()) for tensor in tensors):
        return failed(
            "NCCL", "a sum over the GPUs is wrong", "set NCCL_P2P_DISABLE=1 and try again"
        )
    return ok("NCCL", f"sums over {count} GPUs")


def encoder_weights() -> list[CheckResult]:
    """Compare the weights of each frozen encoder that lie in a package with their digest."""
    return [
        checked(f"weights {name}", partial(_digest, name, encoder.weights), REINSTALL)
        for name, encoder in ENCODERS.items()
        if encoder.weights is not None
    ]


def _digest(name: str, weights: Callable[[], str]) -> CheckResult:
    digest = hashlib.sha256(Path(weights()).read_bytes()).hexdigest()
    if digest != ENCODERS[name].sha256:
        return failed(f"weights {name}", "other bytes than those that were tested", REINSTALL)
    return ok(f"weights {name}", "whole, by SHA-256")


def weights_by_name() -> CheckResult:
    """Look for the host of the ImageNet weights, which a training by name downloads."""
    name = "weights by name"
    remedy = "copy the weights and give --weights FILE; the demos need none"
    if os.environ.get("HF_HUB_OFFLINE", "0") not in ("0", ""):
        return warning(name, "HF_HUB_OFFLINE is set", remedy)
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    if proxy:
        return ok(name, f"through the proxy {proxy.rpartition('@')[2]}, which was not asked")
    try:
        socket.create_connection((WEIGHTS_HOST, 443), timeout=HOST_TIMEOUT_S).close()
    except OSError as error:
        return warning(name, f"{WEIGHTS_HOST} does not answer ({error})", remedy)
    return ok(name, f"{WEIGHTS_HOST} answers")


def brain_weights() -> list[CheckResult]:
    """Look for the weights of both methods of brain extraction."""
    listed = [
        ("deepbet", "deepbet", "prepare-mri needs it: pip install deepbet"),
        ("HD-BET", "HD_BET", "the preset park2021 needs it: pip install idhray[hdbet]"),
    ]
    return [_package(*each) for each in listed]


def _package(name: str, module: str, remedy: str) -> CheckResult:
    if find_spec(module) is None:
        return warning(f"weights {name}", "not installed", remedy)
    return ok(f"weights {name}", "installed")
