"""First minutes on a GPU: do the fast ways to train run, are they equal, and how fast are they?

    python -m benchmarks.gpu_first_contact --out FOLDER --budget-s 480
    python -m benchmarks.gpu_first_contact --out FOLDER --device cpu --tiny

Only the training cores are used, so it needs no Ray. Each part runs in a process of its own, in
order of worth, for two minutes at most, and writes one line to FOLDER/results.jsonl when it ends: a
part that hangs, crashes or runs out of memory costs its own line only. The last part compares with
a clone of NVlabs/stylegan2-ada-pytorch (`--stylegan2-ada`), whose operators it tries to build.

Equality is measured at 16 px in float32 without TF32 as the largest difference of weights after 16
steps from those of the plain training, over the largest weight. A way whose line says `"equal":
true` may join `PROVEN` in idhray/gan/compiled.py.
"""

import argparse
import dataclasses
import importlib
import json
import multiprocessing
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch import distributed as dist

from idhray.distributed import Worker
from idhray.gan.architectures import ARCHITECTURES, architecture_name
from idhray.gan.checkpoint import checkpoint_files, restore
from idhray.gan.config import GanSettings
from idhray.gan.engine import Engine
from idhray.gan.pggan.config import PgganSettings
from idhray.gan.run import Run
from idhray.gan.sample import generator_of, image_blocks
from idhray.gan.snapshots import newest_snapshot, publish_snapshot
from idhray.gan.stylegan2.config import StyleGan2Settings
from idhray.gan.stylegan2.layers import transposed_by_convolution
from idhray.gan.trainer import new_run, train

LEAST_S = 10.0
"""Seconds of the budget that must be left for a part to start."""
WAYS: dict[str, dict[str, bool]] = {
    "eager": {},
    "compiled": {"compile": True},
    "graphs": {"cuda_graphs": True},
}
EQUAL = 1e-3  # of the largest weight; two eager trainings with other kernels differ by 1e-5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Choices of the command line."""

    out: Path
    device: str = "cuda"
    budget_s: float = 480.0
    part_s: float = 120.0
    tiny: bool = False
    """Networks of 16 px with few channels, to test this script without a GPU."""
    parts: tuple[str, ...] = ()
    """Parts to run; all by default."""
    stylegan2_ada: Path | None = None


Part = Callable[[Options], dict[str, Any]]


def images(settings: GanSettings, count: int = 64) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(count, S, S, C) noise; the content makes no difference to the time."""
    shape = (count, settings.resolution_px, settings.resolution_px, settings.channels)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def settings_of(architecture: str, options: Options, side_px: int = 256) -> GanSettings:
    """Settings of the papers at one size (StyleGAN2: config F, batch 32), or tiny ones."""
    side_px = 16 if options.tiny else side_px
    if architecture == "stylegan2":
        narrow: dict[str, Any] = {"fmap_base": 64, "fmap_max": 8, "latent_size": 8, "batch_size": 4}
        return StyleGan2Settings(resolution_px=side_px, **(narrow if options.tiny else {}))
    batch = {64: 32, 128: 16}.get(side_px, 8)
    narrow = {"fmap_base": 64, "fmap_max": 8, "latent_size": 8} if options.tiny else {}
    return PgganSettings(
        resolution_px=side_px,
        stabilise_kimg=0.001,
        fade_kimg=0.0,
        batch_sizes=(batch,) * 7,
        penalty_slope="full",
        latent_bias="channel",
        **narrow,
    )


def small_settings(architecture: str, options: Options) -> GanSettings:
    """Settings of the tests of equality: few pixels and channels, all levels, both penalties."""
    side_px = 8 if options.tiny else 16
    if architecture == "stylegan2":
        return StyleGan2Settings(
            resolution_px=side_px, latent_size=32, fmap_base=512, fmap_max=32, batch_size=8,
            total_kimg=0.4, r1_interval=4, path_length_interval=2, checkpoint_kimg=0.04,
            sample_kimg=1.0,
        )  # fmt: skip
    return PgganSettings(
        resolution_px=side_px, latent_size=32, fmap_base=512, fmap_max=32, stabilise_kimg=0.016,
        fade_kimg=0.024, total_kimg=0.4, batch_sizes=(8,) * 3, checkpoint_kimg=0.04,
        sample_kimg=1.0,
    )  # fmt: skip


def run_of(settings: GanSettings, options: Options, **engine: Any) -> Run:
    """New run on the device."""
    return new_run(
        images(settings), settings, seed=0, idh="any", patients=("a",), device=options.device,
        engine=Engine(**engine),
    )  # fmt: skip


def values_of(run: Run) -> Tensor:
    """(n,): all weights of a run."""
    networks = run.networks.values()
    return torch.cat([v.detach().cpu().flatten() for n in networks for v in n.parameters()])


def wait(options: Options) -> None:
    """Wait until the device has done what was asked of it."""
    if options.device.startswith("cuda"):
        torch.cuda.synchronize()


def rate(run: Run, options: Options, seconds: float = 15.0) -> dict[str, Any]:
    """Images a second over whole lazy cycles of 16 steps, after one that compiles; peak memory."""
    cuda = options.device.startswith("cuda")
    run.images_shown = 1024 * 16
    begun = time.perf_counter()
    for _ in range(16):
        run.step()
    wait(options)
    first_s = time.perf_counter() - begun
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    shown, begun = run.images_shown, time.perf_counter()
    while time.perf_counter() - begun < (1.0 if options.tiny else seconds):
        for _ in range(16):
            run.step()
        wait(options)
    spent = time.perf_counter() - begun
    facts = run.engine.facts(architecture_name(run.settings), run.device)
    return {
        "images_per_second": round((run.images_shown - shown) / spent, 2),
        "first_cycle_s": round(first_s, 1),
        **({"peak_mib": torch.cuda.max_memory_allocated() >> 20} if cuda else {}),
        "ran": facts,
    }


def speed(architecture: str, way: str, side_px: int = 256) -> Part:
    """Part that measures a way to train."""

    def part(options: Options) -> dict[str, Any]:
        return rate(run_of(settings_of(architecture, options, side_px), options, **WAYS[way]),
                    options)  # fmt: skip

    return part


def equality(architecture: str, way: str) -> Part:
    """Part that compares a way to train with the plain one."""

    def part(options: Options) -> dict[str, Any]:
        values = []
        for engine in ({}, WAYS[way]):
            run = run_of(
                small_settings(architecture, options), options, precision="float32", **engine
            )
            torch.backends.cudnn.allow_tf32 = False
            for _ in range(16):
                run.step()
            values.append(values_of(run))
        difference = float((values[1] - values[0]).abs().max() / values[0].abs().max())
        facts = run.engine.facts(architecture, run.device)
        ran = facts["compile"] and (way != "graphs" or facts["cuda_graphs"] or options.tiny)
        return {"difference": difference, "equal": bool(ran and difference < EQUAL), "ran": facts}

    return part


def generation(options: Options) -> dict[str, Any]:
    """1,000 images with their PNG files, by one process with four threads."""
    run = run_of(settings_of("stylegan2", options), options)
    generator, count = generator_of(run), 64 if options.tiny else 1000
    png_of = importlib.import_module("idhray.gan.png").png_of  # needs imagecodecs
    list(image_blocks(generator, 1, range(32)))  # starts cuDNN
    begun, processor = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(4) as pool:
        files = [
            pool.submit(png_of, image)
            for _, block in image_blocks(generator, 0, range(count), threads=4)
            for image in block
        ]
    size = sum(len(file.result()) for file in files)
    return {
        "images_per_second": round(count / (time.perf_counter() - begun), 1),
        "cpu_ms_per_image": round(1000 * (time.process_time() - processor) / count, 2),
        "bytes_per_image": size // count,
    }


def _train_from_snapshot(folder: str, architecture: str, options: Options, engine: Any) -> None:
    """Train to the end from the newest snapshot, and write the weights."""
    run = run_of(small_settings(architecture, options), options, **engine)
    if last := newest_snapshot(folder):
        restore(run, last)

    def save(run: Run, report: Any) -> None:
        if report.checkpoint_due:
            publish_snapshot(checkpoint_files(run), folder, run.images_shown)

    train(run, save)
    torch.save(values_of(run), f"{folder}-weights.pt")


def kills(architecture: str, *, count: int = 3, **engine: Any) -> Part:
    """Part that kills a training at random moments; its weights beside an unbroken one's."""

    def part(options: Options) -> dict[str, Any]:
        context, chance = multiprocessing.get_context("spawn"), random.Random(0)
        folders = [str(options.out / f"{architecture}-{name}") for name in ("whole", "killed")]
        begun = time.perf_counter()
        whole = context.Process(
            target=_train_from_snapshot, args=(folders[0], architecture, options, engine)
        )
        whole.start()
        whole.join()
        seconds, done = time.perf_counter() - begun, 0
        while done < count and not Path(f"{folders[1]}-weights.pt").exists():
            process = context.Process(
                target=_train_from_snapshot, args=(folders[1], architecture, options, engine)
            )
            process.start()
            process.join(seconds * (0.3 + 0.7 * chance.random()))
            if process.is_alive():
                process.kill()
                done += 1
            process.join()
        last = context.Process(
            target=_train_from_snapshot, args=(folders[1], architecture, options, engine)
        )
        last.start()
        last.join()
        a, b = (torch.load(f"{folder}-weights.pt") for folder in folders)
        difference = float((a - b).abs().max() / a.abs().max())
        return {"kills": done, "bit_equal": torch.equal(a, b), "difference": difference}

    return part


def _train_as_worker(rank: int, port: int, options: Options) -> None:
    address = f"tcp://127.0.0.1:{port}"
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    settings = small_settings("stylegan2", options)
    run = new_run(
        images(settings), settings, seed=0, idh="any", patients=("a",), device=options.device,
        worker=Worker(rank, 2), engine=Engine(precision="float32"),
    )  # fmt: skip
    torch.backends.cudnn.allow_tf32 = False
    for _ in range(16):
        run.step()
    if rank == 0:
        torch.save(values_of(run), options.out / "two-workers.pt")
    dist.destroy_process_group()


def two_workers(options: Options) -> dict[str, Any]:
    """Two processes on one GPU, by gloo, beside one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_train_as_worker, args=(k, port, options)) for k in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    run = run_of(small_settings("stylegan2", options), options, precision="float32")
    torch.backends.cudnn.allow_tf32 = False
    for _ in range(16):
        run.step()
    alone, together = values_of(run), torch.load(options.out / "two-workers.pt")
    difference = float((alone - together).abs().max() / alone.abs().max())
    return {"difference": difference, "equal": difference < EQUAL}


def depthwise(options: Options) -> dict[str, Any]:
    """Milliseconds of the blur's transposes: grouped transposed convolution, and what is used."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    table = {}
    sizes = ((512, 64, 1, 2), (256, 128, 1, 2), (128, 256, 2, 1))
    tiny_sizes = ((8, 16, 1, 2), (8, 16, 2, 1))
    for channels, side, stride, pad in tiny_sizes if options.tiny else sizes:
        weight = torch.outer(taps, taps).expand(channels, 1, 4, 4).to(options.device)
        x = torch.randn(16, channels, side, side, device=options.device)
        x = x.to(memory_format=torch.channels_last)
        y = torch.nn.functional.conv2d(x, weight, None, stride, pad, groups=channels)
        extra = side - ((y.shape[2] - 1) * stride - 2 * pad + 4)
        calls: dict[str, Callable[[], Tensor]] = {
            "transposed": lambda y=y, w=weight, s=stride, p=pad, e=extra: (  # type: ignore[misc]
                torch.nn.functional.conv_transpose2d(y, w, None, s, p, e, groups=w.shape[0])
            ),
            "used": lambda y=y, w=weight, s=stride, p=pad, n=side: (  # type: ignore[misc]
                transposed_by_convolution(y, w, s, p, n)
            ),
        }
        line = {}
        for name, call in calls.items():
            for _ in range(3):
                call()
            wait(options)
            begun = time.perf_counter()
            for _ in range(10):
                call()
            wait(options)
            line[name] = round(100 * (time.perf_counter() - begun), 3)
        table[f"{channels} x {side} px, stride {stride}"] = line
    return {"ms": table}


def peer(options: Options) -> dict[str, Any]:
    """stylegan2-ada-pytorch and this project in turn, by `gan_step`; CUDA operators if they build.

    It needs tyro, for `gan_step`.
    """
    if options.stylegan2_ada is None:
        return {"skipped": "needs --stylegan2-ada CLONE"}
    command = [
        sys.executable, "-m", "benchmarks.gan_step", "--resolution", "256", "--fmap-base", "16384",
        "--batch", "32", "--rounds", "2", "--tasks", "step", "--device", options.device,
        "--ours", "bfloat16", "--stylegan2-ada", str(options.stylegan2_ada),
        "--stylegan2-ada-fp16",
    ]  # fmt: skip
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in finished.stdout.splitlines() if line.startswith("{")]
    keys = ("variant", "images_per_second", "times_faster_than", "note", "peak_memory_mib")
    return {"lines": [{key: line.get(key) for key in keys} for line in lines],
            **({} if lines else {"error": finished.stderr[-500:]})}  # fmt: skip


PARTS: dict[str, Part] = {
    **{f"equal {a} {w}": equality(a, w) for a in ARCHITECTURES for w in ("compiled", "graphs")},
    "speed stylegan2 eager": speed("stylegan2", "eager"),
    "speed stylegan2 compiled": speed("stylegan2", "compiled"),
    "speed stylegan2 graphs": speed("stylegan2", "graphs"),
    "speed pggan eager": speed("pggan", "eager"),
    "speed pggan compiled": speed("pggan", "compiled"),
    "speed pggan graphs": speed("pggan", "graphs"),
    "generation": generation,
    "kills stylegan2": kills("stylegan2"),
    "kills stylegan2 deterministic": kills("stylegan2", deterministic=True),
    "two workers": two_workers,
    "depthwise": depthwise,
    "speed pggan compiled 64 px": speed("pggan", "compiled", 64),
    "speed pggan compiled 128 px": speed("pggan", "compiled", 128),
    "peer": peer,
}
"""Parts by name, in order of worth."""


def run_parts(options: Options, names: Sequence[str]) -> list[dict[str, Any]]:
    """Lines of the parts, each written as soon as its process has ended."""
    options.out.mkdir(parents=True, exist_ok=True)
    begun, lines = time.perf_counter(), []
    for name in names:
        left = options.budget_s - (time.perf_counter() - begun)
        if left < LEAST_S:
            line: dict[str, Any] = {"part": name, "skipped": f"{left:.0f} s of the budget are left"}
        else:
            line = {"part": name, **_of_process(name, options, min(options.part_s, left))}
        lines.append(line)
        with (options.out / "results.jsonl").open("a") as results:
            results.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)
    return lines


def _of_process(name: str, options: Options, seconds: float) -> dict[str, Any]:
    """Result of one part in a process of its own, which is killed when its time is over."""
    cache = str(options.out.absolute() / "compiled")
    command = [sys.executable, "-m", "benchmarks.gpu_first_contact", "--only", name]
    command += ["--out", str(options.out), "--device", options.device]
    command += ["--tiny"] if options.tiny else []
    command += ["--stylegan2-ada", str(options.stylegan2_ada)] if options.stylegan2_ada else []
    begun = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": cache},
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)  # with the processes that it started
        process.communicate()
        return {"error": f"not finished after {seconds:.0f} s"}
    spent = round(time.perf_counter() - begun, 1)
    if process.returncode:
        return {"error": " ".join(errors.split())[-500:], "seconds": spent}
    return {**json.loads(output.splitlines()[-1]), "seconds": spent}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts; exit code 0 also if some of them failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--budget-s", type=float, default=480.0)
    parser.add_argument("--part-s", type=float, default=120.0)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--parts", nargs="*", default=[])
    parser.add_argument("--only", help="run one part in this process")
    parser.add_argument("--stylegan2-ada", type=Path)
    values = vars(parser.parse_args(arguments))
    only = values.pop("only")
    options = Options(**{**values, "parts": tuple(values["parts"])})
    if unknown := {*options.parts, *([only] if only else [])} - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}; parts: {', '.join(PARTS)}")
    if only:
        torch.set_num_threads(1 if options.tiny else torch.get_num_threads())
        print(json.dumps(PARTS[only](options)), flush=True)
        return 0
    device = torch.cuda.get_device_name() if options.device.startswith("cuda") else options.device
    print(json.dumps({"device": device, "torch": torch.__version__}), flush=True)
    run_parts(options, options.parts or list(PARTS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
