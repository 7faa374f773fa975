"""How fast is a training step of a GAN, and its generation, beside the field's best code?

    python -m benchmarks.gan_step --stylegan2-ada FOLDER --rosinality FOLDER
    python -m benchmarks.gan_step --architecture pggan --resolution 32 --gan-zoo FOLDER
    python -m benchmarks.gan_step --smoke

StyleGAN2's step is the mean of a lazy cycle of 16: both losses in each, path lengths in 4, R1 in
1. With `--cycle kinds` one step of each kind is timed (losses alone; with path lengths; with both)
and they are weighed 12 : 3 : 1; with `--cycle full` all 16 are run. PGGAN's is one step of WGAN-GP
at the last level, faded in.

All variants take turns in one process, section by section; ratios are of the same round. A peer is
a folder of the user's (a clone of NVlabs/stylegan2-ada-pytorch, rosinality/stylegan2-pytorch,
facebookresearch/pytorch_GAN_zoo); nothing is downloaded. Each has the same widths, batch, weights
of penalties and optimizer; NVIDIA's and Facebook's run with losses of their own, rosinality's with
those of Karras et al. 2020 as written here. Without CUDA their custom operators are not used.

One line of JSON for each variant and task goes to stdout, a table to stderr. On CUDA the share of
the roofline is of FLOP counts of the plain formulation (2 per multiply-add, op by op).
"""

import contextlib
import copy
import dataclasses
import functools
import importlib
import json
import logging
import platform
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal, NamedTuple
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
import tyro
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from idhray.gan.checks import STD_GROUP
from idhray.gan.config import width_at
from idhray.gan.engine import Engine, only
from idhray.gan.pggan.config import PgganSettings
from idhray.gan.pggan.run import PgganRun
from idhray.gan.stylegan2.config import StyleGan2Settings
from idhray.gan.stylegan2.run import StyleGan2Run
from idhray.gan.trainer import new_run

Settings = StyleGan2Settings | PgganSettings
Clock = Literal["cpu", "wall"]
Way = Literal[
    *("float32", "bfloat16", "float16", "float32-compiled", "bfloat16-compiled"),
    *("float16-compiled", "float32-graphs", "bfloat16-graphs", "float16-graphs"),  # CUDA's
]

# Of the plain formulation; StyleGAN2's are means of a lazy cycle, with 512 channels at most.
STYLEGAN2_GFLOP = {  # (side in px, fmap_base): a step, and generation, per image
    (256, 16384): (1208, 90.2),
    (256, 8192): (399, 29.8),
    (256, 4096): (124, 9.2),
    (128, 8192): (301, 22.5),
    (64, 8192): (204, 15.3),
}
PGGAN_GFLOP = {4: 1.5, 8: 9.4, 16: 41, 32: 166, 64: 331, 128: 495, 256: 660}  # with fmap_base 8192


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to measure."""

    architecture: Literal["stylegan2", "pggan"] = "stylegan2"
    tasks: tuple[Literal["step", "generation"], ...] = ("step", "generation")
    resolution: int = 64
    """Side of the images; of PGGAN, of the level."""
    fmap_base: int = 8192
    """Feature maps at S px are 2 * fmap_base / S, 512 at most (NVIDIA's channel_base is twice
    this number)."""
    fmap_max: int = 512
    batch: int = 4
    ours: tuple[Way, ...] = ("float32", "bfloat16")
    stylegan2_ada: Path | None = None
    """A clone of NVlabs/stylegan2-ada-pytorch."""
    stylegan2_ada_fp16: bool = False
    """That one's mixed precision too (its four largest sizes in float16), as on GPUs by default."""
    rosinality: Path | None = None
    """A clone of rosinality/stylegan2-pytorch; it has fmap_base 8192 and 16384 only."""
    gan_zoo: Path | None = None
    """A clone of facebookresearch/pytorch_GAN_zoo."""
    warmup: int = 1
    """Rounds that are not counted: compilers, caches, Adam's state."""
    rounds: int = 3
    minutes: float | None = None
    """Of a task: no round but the first starts later, so that a slow machine gives figures too."""
    cycle: Literal["kinds", "full"] | None = None
    """kinds on a CPU and full on CUDA when not given."""
    generations: int | None = None
    """Batches generated per timing; 1 on a CPU and 20 on CUDA when not given."""
    device: str = "cpu"
    threads: int = 1
    tf32: bool = False
    """On CUDA: products of float32 in TF32, of every variant."""
    peak_tflops: float | None = None
    """What the device can do in the precision that it is to be held to; gives the roofline."""
    smoke: bool = False
    """Both architectures at 16 px with few channels, one round: does it run?"""

    @property
    def cuda(self) -> bool:
        """Whether it is a GPU."""
        return self.device.startswith("cuda")


@dataclass
class Contestant:
    """An implementation, ready to run."""

    name: str
    step: Callable[[int], object]
    """Trains; the number of the step in its cycle says which penalties are due."""
    generate: Callable[[], object]
    """Makes one batch."""
    note: str = ""
    resident: int = 0
    """Bytes that it keeps on the GPU."""
    peak: int = 0
    """Bytes that it needed at most, without what the others keep."""


class Section(NamedTuple):
    """A part of a task that is timed at once."""

    name: str
    weight: int
    calls: tuple[Callable[[], object], ...]


class Timing(NamedTuple):
    """Seconds per call."""

    cpu: float
    wall: float


Timings = dict[str, list[dict[str, Timing]]]  # name of a contestant: round: name of a section


def main(options: Options) -> None:
    """Measure and print."""
    torch.set_num_threads(options.threads)
    torch.backends.cuda.matmul.allow_tf32 = options.tf32
    torch.backends.cudnn.allow_tf32 = options.tf32
    torch.backends.cudnn.benchmark = True
    for one in smoke(options) if options.smoke else [options]:
        contestants = [tracked(make, one) for make in makers(one)]
        for task in one.tasks:
            report(task, one, contestants, compete(task, one, contestants))


def smoke(options: Options) -> list[Options]:
    """Both architectures, tiny."""
    tiny = dataclasses.replace(options, resolution=16, fmap_base=64, fmap_max=16, rounds=1)
    return [dataclasses.replace(tiny, architecture=name) for name in ("stylegan2", "pggan")]


# ---- taking turns


def compete(task: str, options: Options, contestants: Sequence[Contestant]) -> Timings:
    """Times of all rounds, after those that are not counted."""
    found: Timings = {one.name: [] for one in contestants}
    began = time.perf_counter()
    for turn in range(-options.warmup, options.rounds):
        if turn > 0 and options.minutes and time.perf_counter() - began > 60 * options.minutes:
            break
        parts = {one.name: sections(task, one, options) for one in contestants}
        times: dict[str, dict[str, Timing]] = {one.name: {} for one in contestants}
        first = turn % len(contestants)
        for k in range(len(parts[contestants[0].name])):
            for one in (*contestants[first:], *contestants[:first]):
                section = parts[one.name][k]
                times[one.name][section.name] = timed(section, one, options)
        for name, of_round in times.items():
            seconds = {
                section: (round(t.cpu, 4), round(t.wall, 4)) for section, t in of_round.items()
            }
            what = f"round {turn + 1} of {options.rounds}" if turn >= 0 else "to warm up"
            print(f"{task}, {what}, {name}: CPU and wall s {seconds}", file=sys.stderr, flush=True)
            if turn >= 0:
                found[name].append(of_round)
    return found


def sections(task: str, one: Contestant, options: Options) -> list[Section]:
    """What is timed, each part with its weight in the mean."""
    if task == "generation":
        count = options.generations or (20 if options.cuda else 1)
        return [Section("generation", 1, (one.generate,) * count)]
    if options.architecture == "pggan":
        return [Section("step", 1, (lambda: one.step(0),))]
    if (options.cycle or ("full" if options.cuda else "kinds")) == "full":
        return [Section("cycle", 1, tuple(functools.partial(one.step, k) for k in range(16)))]
    return [
        Section("losses", 12, (lambda: one.step(1),)),
        Section("losses, path lengths", 3, (lambda: one.step(4),)),
        Section("losses, path lengths, R1", 1, (lambda: one.step(0),)),
    ]


def timed(section: Section, one: Contestant, options: Options) -> Timing:
    """Run it."""
    with on_gpu(one, options):
        cpu, wall = time.process_time(), time.perf_counter()
        for call in section.calls:
            call()
        if options.cuda:
            torch.cuda.synchronize()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Timing(cpu / len(section.calls), wall / len(section.calls))


def tracked(make: Callable[[], Contestant], options: Options) -> Contestant:
    """Made, with the memory that it took."""
    before = torch.cuda.memory_allocated() if options.cuda else 0
    one = make()
    one.resident = torch.cuda.memory_allocated() - before if options.cuda else 0
    return one


@contextlib.contextmanager
def on_gpu(one: Contestant, options: Options) -> Iterator[None]:
    """Notes what a contestant needs of the GPU's memory, and keeps of it."""
    if not options.cuda:
        yield
        return
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    yield
    others = before - one.resident
    one.peak = max(one.peak, torch.cuda.max_memory_allocated() - others)
    one.resident = torch.cuda.memory_allocated() - others


# ---- the figures


def per_step(of_round: dict[str, Timing], weights: dict[str, int], clock: Clock) -> float:
    """Seconds per step: the mean over the cycle."""
    total = sum(weights[name] * getattr(timing, clock) for name, timing in of_round.items())
    return float(total) / sum(weights.values())


def report(task: str, options: Options, contestants: list[Contestant], timings: Timings) -> None:
    """One line of JSON for each, and a table."""
    weights = {part.name: part.weight for part in sections(task, contestants[0], options)}
    clocks: tuple[Clock, ...] = ("wall",) if options.cuda else ("cpu", "wall")
    rows: dict[Clock, dict[str, list[float]]] = {
        clock: {
            name: [1000 * per_step(r, weights, clock) / options.batch for r in rounds]
            for name, rounds in timings.items()
        }
        for clock in clocks
    }
    best: dict[Clock, dict[str, float]] = {
        clock: {
            name: 1000 / options.batch * per_step(fastest(rounds, clock), weights, clock)
            for name, rounds in timings.items()
        }
        for clock in clocks
    }
    say = f"\n{options.architecture} {task}, {options.resolution} px, batch {options.batch}: ms"
    print(f"{say} per image (minimum, median), times faster than", file=sys.stderr)
    for one in contestants:
        ratios = {
            clock: {
                peer.name: versus(rows[clock], best[clock], one.name, peer.name)
                for peer in contestants
                if not peer.name.startswith("idhray") and peer is not one
            }
            for clock in clocks
        }
        images = 1000 / best["wall"][one.name]
        line: dict[str, Any] = {
            "task": f"{options.architecture} {task}",
            "variant": one.name,
            "resolution_px": options.resolution,
            "fmap_base": options.fmap_base,
            "batch": options.batch,
            "ms_per_image": {
                clock: {
                    "min": round(best[clock][one.name], 3),
                    "median": round(median(rows[clock][one.name]), 3),
                    "rounds": [round(ms, 3) for ms in rows[clock][one.name]],
                }
                for clock in clocks
            },
            "ms_per_image_of": {
                name: round(
                    1000 / options.batch * min(getattr(r[name], clocks[0]) for r in
                                               timings[one.name]), 3)
                for name in weights
            },
            "times_faster_than": ratios,
            "images_per_second": round(images, 3),
            **roofline(task, options, images),
            "note": one.note,
            **setting(options),
        }  # fmt: skip
        if options.cuda:
            line["peak_memory_mib"] = round(one.peak / 2**20)
        print(json.dumps(line), flush=True)
        print(table_row(one.name, line, clocks), file=sys.stderr, flush=True)


def fastest(rounds: list[dict[str, Timing]], clock: Clock) -> dict[str, Timing]:
    """Each section's fastest round."""
    return {
        name: min((r[name] for r in rounds), key=lambda timing: float(getattr(timing, clock)))
        for name in rounds[0]
    }


def versus(
    rows: dict[str, list[float]], best: dict[str, float], one: str, peer: str
) -> dict[str, float]:
    """How many times faster: median of the rounds' ratios, and ratio of the minima."""
    ratios = [theirs / ours for theirs, ours in zip(rows[peer], rows[one], strict=True)]
    return {"median": round(median(ratios), 3), "of_minima": round(best[peer] / best[one], 3)}


def roofline(task: str, options: Options, images_per_second: float) -> dict[str, float]:
    """GFLOP per image and the share of the device's peak, where they are known."""
    gflop: float | None
    if options.architecture == "pggan":
        known = options.fmap_base == 8192 and options.fmap_max == 512 and task == "step"
        gflop = PGGAN_GFLOP.get(options.resolution) if known else None
    else:
        key = (options.resolution, options.fmap_base)
        found = STYLEGAN2_GFLOP.get(key) if options.fmap_max == 512 else None
        gflop = found and found[task == "generation"]
    if not gflop:
        return {}
    tflops = images_per_second * gflop / 1000
    share = (
        {"roofline_share": round(tflops / options.peak_tflops, 4)} if options.peak_tflops else {}
    )
    return {"gflop_per_image": gflop, "tflops": round(tflops, 3), **share}


def setting(options: Options) -> dict[str, Any]:
    """Where and how it was measured."""
    gpu = torch.cuda.get_device_name() if options.cuda else None
    return {
        "threads": options.threads,
        "device": gpu or f"{platform.processor() or platform.machine()} CPU",
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "command": shlex.join(["python", "-m", "benchmarks.gan_step", *sys.argv[1:]]),
    }


def table_row(name: str, line: dict[str, Any], clocks: Sequence[str]) -> str:
    """One variant, to be read."""
    cells = [f"{name:26}"]
    for clock in clocks:
        ms = line["ms_per_image"][clock]
        cells.append(f"{clock} {ms['min']:9.1f} {ms['median']:9.1f}")
        cells += [f"{v['median']:.2f}x {p}" for p, v in line["times_faster_than"][clock].items()]
    cells.append(f"{line['images_per_second']:.2f} img/s")
    for key in ("peak_memory_mib", "roofline_share"):
        cells += [f"{key} {line[key]}"] if key in line else []
    return "  ".join(cells)


# ---- idhray


def makers(options: Options) -> list[Callable[[], Contestant]]:
    """All that are to be compared, each to be made when its turn comes."""
    settings = settings_for(options)
    found: list[Callable[[], Contestant]] = []
    for name in options.ours:
        precision, _, how = name.partition("-")
        faster = {"compile": how == "compiled", "cuda_graphs": how == "graphs"}
        engine = Engine(precision=precision, **faster)  # type: ignore[arg-type]
        found.append(lambda n=name, e=engine: ours(n, settings, e, options))  # type: ignore[misc]
    if isinstance(settings, PgganSettings):
        if options.gan_zoo:
            found.append(lambda: gan_zoo(options.gan_zoo, settings, options))
        return found
    if options.stylegan2_ada:
        found.append(lambda: stylegan2_ada(options.stylegan2_ada, settings, options, fp16=False))
        if options.stylegan2_ada_fp16:
            found.append(lambda: stylegan2_ada(options.stylegan2_ada, settings, options, fp16=True))
    if options.rosinality:
        found.append(lambda: rosinality(options.rosinality, settings, options))
    return found


def settings_for(options: Options) -> Settings:
    """Those of the papers but for size and batch; PGGAN's last level is the one asked for."""
    if options.architecture == "stylegan2":
        return StyleGan2Settings(
            resolution_px=options.resolution,
            fmap_base=options.fmap_base,
            fmap_max=options.fmap_max,
            batch_size=options.batch,
        )
    return PgganSettings(
        resolution_px=options.resolution,
        fmap_base=options.fmap_base,
        fmap_max=options.fmap_max,
        stabilise_kimg=0.001,
        fade_kimg=0.0,
        batch_sizes=(options.batch,) * 10,
    )


def ours(name: str, settings: Settings, engine: Engine, options: Options) -> Contestant:
    """This project's, through the step that training takes."""
    run = new_run(
        real_images(settings), settings, seed=0, idh="mutant", patients=("made up",),
        device=options.device, engine=engine,
    )  # fmt: skip
    cycles = iter(range(1, 1 << 40))  # of its lazy cycle, so that each step draws anew

    def step(index: int) -> None:
        run.images_shown = (16 * next(cycles) + index) * options.batch
        run.step()

    dtype = engine.dtype(run.device)
    average: Any = run.average
    level = settings.levels - 1

    def pictures(z: Tensor, noise: Tensor) -> Tensor:
        if isinstance(run, PgganRun):
            found: Tensor = average(z, level, None, dtype)
            return found
        styles = average.mapping(z)[:, None].expand(-1, average.layers, -1)
        images: Tensor = average.synthesis(styles, noise, dtype)
        return images

    fast = engine.phase(pictures)
    pixels = average.fixed_noise.shape[1] if isinstance(run, StyleGan2Run) else 0

    @torch.no_grad()
    def generate() -> Tensor:
        z = torch.randn(options.batch, settings.latent_size, device=run.device)
        images: Tensor = fast(z, torch.randn(options.batch, pixels, device=run.device))
        return images

    return Contestant(f"idhray {name}", step, generate)


def real_images(settings: Settings, count: int = 64) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(count, S, S, C) noise; what is shown makes no difference to the time."""
    shape = (count, settings.resolution_px, settings.resolution_px, settings.channels)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


# ---- the peers: imported from the user's folder and called, no more


@contextlib.contextmanager
def importable(folder: Path | None) -> Iterator[None]:
    """Modules of that folder come first."""
    if folder is None or not folder.is_dir():
        raise SystemExit(f"{folder}: no such folder; clone the peer there, or leave its flag out")
    sys.path.insert(0, str(folder.resolve()))
    try:
        yield
    finally:
        sys.path.remove(str(folder.resolve()))


def lazy_adam(parameters: Any, settings: StyleGan2Settings, interval: int) -> Optimizer:
    """PyTorch's default Adam, slower by what the penalty's steps add (K2020, appendix B)."""
    c = interval / (interval + 1)
    betas = (0.0, settings.beta2**c)
    return Adam(list(parameters), lr=settings.learning_rate * c, betas=betas)


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, settings: StyleGan2Settings) -> None:
    """The running mean (EMA) of a peer's generator."""
    rate = 1 - 0.5 ** (settings.batch_size / (1000 * settings.ema_half_life_kimg))
    for kept, new in zip(average.parameters(), network.parameters(), strict=True):
        kept.lerp_(new, rate)


def reals_of(settings: Settings, options: Options) -> Tensor:
    """(N, C, S, S) float32 -1..1."""
    images = torch.from_numpy(real_images(settings, options.batch)).to(options.device)
    return images.permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()


def stylegan2_ada(
    folder: Path | None, settings: StyleGan2Settings, options: Options, *, fp16: bool
) -> Contestant:
    """NVlabs/stylegan2-ada-pytorch with its own loss; of its training loop, the order of phases."""
    with importable(folder):
        networks = importlib.import_module("training.networks")
        losses = importlib.import_module("training.loss")
        bias_act = importlib.import_module("torch_utils.ops.bias_act")
    sizes: dict[str, Any] = {"img_resolution": settings.resolution_px, "img_channels": 3}
    widths: dict[str, Any] = {
        "channel_base": 2 * settings.fmap_base,
        "channel_max": settings.fmap_max,
        **({"num_fp16_res": 4, "conv_clamp": 256} if fp16 else {}),
    }
    generator = networks.Generator(
        z_dim=settings.latent_size, c_dim=0, w_dim=settings.latent_size, **sizes,
        mapping_kwargs={"num_layers": settings.mapping_layers}, synthesis_kwargs=widths,
    ).to(options.device).train().requires_grad_(False)  # fmt: skip
    discriminator = networks.Discriminator(
        c_dim=0, **sizes, **widths, epilogue_kwargs={"mbstd_group_size": STD_GROUP}
    )
    discriminator.to(options.device).train().requires_grad_(False)
    average = copy.deepcopy(generator).eval()
    loss = losses.StyleGAN2Loss(
        device=torch.device(options.device), G_mapping=generator.mapping,
        G_synthesis=generator.synthesis, D=discriminator, r1_gamma=settings.r1_gamma,
        style_mixing_prob=settings.style_mixing, pl_weight=settings.path_length_weight,
    )  # fmt: skip
    g_adam = lazy_adam(generator.parameters(), settings, settings.path_length_interval)
    d_adam = lazy_adam(discriminator.parameters(), settings, settings.r1_interval)
    reals, labels = reals_of(settings, options), torch.zeros(options.batch, 0).to(options.device)

    def latents() -> Tensor:
        return torch.randn(options.batch, settings.latent_size, device=options.device)

    def phase(name: str, network: nn.Module, optimizer: Optimizer, gain: int) -> None:
        optimizer.zero_grad(set_to_none=True)
        network.requires_grad_(True)
        loss.accumulate_gradients(
            phase=name, real_img=reals, real_c=labels, gen_z=latents(), gen_c=labels,
            sync=True, gain=gain,
        )  # fmt: skip
        network.requires_grad_(False)
        for parameter in network.parameters():
            if parameter.grad is not None:  # as its training loop does
                torch.nan_to_num(parameter.grad, 0, 1e5, -1e5, out=parameter.grad)
        optimizer.step()

    def step(index: int) -> None:
        phase("Gmain", generator, g_adam, 1)
        if index % settings.path_length_interval == 0:
            phase("Greg", generator, g_adam, settings.path_length_interval)
        phase("Dmain", discriminator, d_adam, 1)
        if index % settings.r1_interval == 0:
            phase("Dreg", discriminator, d_adam, settings.r1_interval)
        follow(average, generator, settings)

    @torch.no_grad()
    def generate() -> object:
        return average(latents(), labels)

    name = "stylegan2-ada float16" if fp16 else "stylegan2-ada"
    generate()  # loads its operators, if it can
    custom = getattr(bias_act, "_plugin", None) is not None
    return Contestant(name, step, generate, f"custom operators: {'yes' if custom else 'no'}")


def rosinality(folder: Path | None, settings: StyleGan2Settings, options: Options) -> Contestant:
    """rosinality/stylegan2-pytorch's networks with the four phases of Karras et al. 2020."""
    multiplier = {8192: 1, 16384: 2}.get(settings.fmap_base)
    if multiplier is None or settings.fmap_max != 512:
        raise SystemExit("rosinality's widths are those of fmap_base 8192 or 16384, fmap_max 512")
    # It compiles CUDA sources when it is imported; on a CPU it has PyTorch code for the same.
    stub = mock.patch("torch.utils.cpp_extension.load", return_value=None)
    with importable(folder), contextlib.nullcontext() if options.cuda else stub:
        model = importlib.import_module("model")
    generator = model.Generator(
        settings.resolution_px, settings.latent_size, settings.mapping_layers,
        channel_multiplier=multiplier,
    ).to(options.device)  # fmt: skip
    discriminator = model.Discriminator(settings.resolution_px, channel_multiplier=multiplier)
    discriminator.to(options.device)
    average = copy.deepcopy(generator).eval()
    g_adam = lazy_adam(generator.parameters(), settings, settings.path_length_interval)
    d_adam = lazy_adam(discriminator.parameters(), settings, settings.r1_interval)
    reals, mean = reals_of(settings, options), torch.zeros((), device=options.device)

    def latents(count: int) -> list[Tensor]:
        styles = 2 if torch.rand(()) < settings.style_mixing else 1
        return list(torch.randn(styles, count, settings.latent_size, device=options.device))

    def descend(optimizer: Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def path_lengths() -> Tensor:
        """K2020, equation 4, on half of the batch."""
        images, styles = generator(latents(options.batch // 2), return_latents=True)
        directions = torch.randn_like(images) / settings.resolution_px
        (slope,) = torch.autograd.grad((images * directions).sum(), styles, create_graph=True)
        lengths = slope.square().sum(2).mean(1).sqrt()
        mean.lerp_(lengths.detach().mean(), 0.01)
        weight = settings.path_length_weight * settings.path_length_interval
        penalty: Tensor = weight * (lengths - mean).square().mean()
        return penalty

    def r1() -> Tensor:
        seen = reals.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(discriminator(seen).sum(), seen, create_graph=True)
        weight = settings.r1_gamma / 2 * settings.r1_interval
        return weight * slope.square().sum((1, 2, 3)).mean()

    def step(index: int) -> None:
        with only(generator, discriminator):
            fakes, _ = generator(latents(options.batch))
            descend(g_adam, F.softplus(-discriminator(fakes)).mean())
            if index % settings.path_length_interval == 0:
                descend(g_adam, path_lengths())
        with only(discriminator, generator):
            fakes, _ = generator(latents(options.batch))
            score = F.softplus(discriminator(fakes)).mean()
            descend(d_adam, score + F.softplus(-discriminator(reals)).mean())
            if index % settings.r1_interval == 0:
                descend(d_adam, r1())
        follow(average, generator, settings)

    @torch.no_grad()
    def generate() -> object:
        z = torch.randn(options.batch, settings.latent_size, device=options.device)
        return average([z])

    return Contestant("rosinality", step, generate)


def gan_zoo(folder: Path | None, settings: PgganSettings, options: Options) -> Contestant:
    """facebookresearch/pytorch_GAN_zoo's PGAN at a level, by its own step."""
    with importable(folder):
        module = importlib.import_module("models.progressive_gan")

    def adam(parameters: Any, betas: Sequence[float], lr: float) -> Optimizer:
        # It asks for betas of 0 and 0.99, one of them an int, which today's PyTorch refuses.
        return Adam(parameters, lr=lr, betas=(float(betas[0]), float(betas[1])))

    model: Any
    with mock.patch("torch.optim.Adam", adam):
        model = module.ProgressiveGAN(
            dimLatentVector=settings.latent_size, depthScale0=width_at(settings, 0),
            miniBatchStdDev=True, dimOutput=settings.channels, useGPU=options.cuda,
            lossMode="WGANGP", lambdaGP=settings.gradient_penalty, epsilonD=settings.drift,
            baseLearningRate=settings.learning_rate,
        )  # fmt: skip
        for level in range(1, settings.levels):
            model.addScale(width_at(settings, level))
    reals = reals_of(settings, options)

    @torch.no_grad()
    def generate() -> object:
        z = torch.randn(options.batch, settings.latent_size)
        return model.test(z, getAvG=True, toCPU=False)

    return Contestant("pytorch_GAN_zoo", lambda _: model.optimizeParameters(reals), generate)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    main(tyro.cli(Options))
