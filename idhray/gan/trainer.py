"""Train a GAN on one class of images; continues where it was, alone or as one of several workers.

A step is one of the discriminator, one of the averaged generator (EMA), one of the generator.
What a step draws depends on seed and images shown alone. Every worker holds all images and takes
its share of each global batch; gradients are averaged after each backward pass.
"""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer
from torch.optim.swa_utils import get_ema_multi_avg_fn

from idhray.chance import seed_for
from idhray.distributed import Worker
from idhray.errors import ConfigError, TrainingError
from idhray.gan import losses
from idhray.gan.config import STD_GROUP, GanSettings
from idhray.gan.data import Images, check_images, faded, level_images, order, turned, unit
from idhray.gan.pggan import Discriminator, Generator, active_parameters
from idhray.gan.schedule import Growth, growth_at

_SYMMETRIES = {"none": 1, "mirror": 2, "dihedral": 8}


@dataclass(kw_only=True)
class Run:
    """A GAN in training: what it was asked for, and how far it is."""

    settings: GanSettings
    seed: int
    idh: str
    patients: tuple[str, ...]
    images: Images
    worker: Worker
    device: torch.device
    generator: Generator
    discriminator: Discriminator
    average: Generator
    """The generator whose images are used: a running mean (EMA) of the trained one."""
    images_shown: int = 0
    level: int = -1
    """The level and phase that the optimizers and `reals` are for; -1 before the first step."""
    fading: bool = False
    reals: Tensor = field(default_factory=lambda: torch.empty(0))
    """All images at that level, (N, C, S, S) uint8 on the device."""
    g_optimizer: Optimizer | None = None
    d_optimizer: Optimizer | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """What is known each time that samples or a checkpoint are due; losses are means since then."""

    kimg: float
    level: int
    alpha: float
    d_loss: float
    g_loss: float
    wasserstein: float
    """The critic's estimate of the distance between real and generated images."""
    images_per_second: float
    sample_due: bool
    checkpoint_due: bool


OnReport = Callable[[Run, Report], None]


def new_run(
    images: Images,
    settings: GanSettings,
    *,
    seed: int,
    idh: str,
    patients: tuple[str, ...],
    worker: Worker | None = None,
    device: str | torch.device = "cpu",
) -> Run:
    """A run with seeded first weights, alike on every worker; `checkpoint.restore` continues one.

    Args:
        images: (N, height, width, channels) uint8, in an order that is the same on every worker.
        idh: The class of all the images.
        patients: Whose images they are.

    Raises:
        ConfigError: images do not fit the settings, or batches do not divide over the workers.
    """
    check_images(images, settings)
    worker = worker or Worker()
    _check_shares(settings, worker)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "gan weights"))
        generator, discriminator = Generator(settings), Discriminator(settings)
    generator.to(device)
    return Run(
        settings=settings,
        seed=seed,
        idh=idh,
        patients=tuple(sorted(set(patients))),
        images=images,
        worker=worker,
        device=torch.device(device),
        generator=generator,
        discriminator=discriminator.to(device),
        average=copy.deepcopy(generator).requires_grad_(False),
    )


def train(run: Run, on_report: OnReport, *, until_kimg: float | None = None) -> None:
    """Train until `until_kimg` images (in thousands) were shown, all of `total_kimg` by default.

    `on_report` is called on every worker whenever samples or a checkpoint are due, and at the end
    with both due. Losses are read, and must be finite, only then: the device never waits between.

    Raises:
        TrainingError: a loss is not finite; the last checkpoint is still good.
    """
    settings = run.settings
    until = round((settings.total_kimg if until_kimg is None else until_kimg) * 1000)
    sums, steps = torch.zeros(3, device=run.device), 0
    shown_then, then = run.images_shown, time.perf_counter()
    while run.images_shown < until:
        before = run.images_shown
        sums += step(run)
        steps += 1
        ended = run.images_shown >= until
        sample_due = ended or _passed(settings.sample_kimg, before, run.images_shown)
        checkpoint_due = ended or _passed(settings.checkpoint_kimg, before, run.images_shown)
        if not (sample_due or checkpoint_due):
            continue
        run.worker.average([sums])
        means = _finite((sums / steps).tolist(), run.images_shown)
        speed = (run.images_shown - shown_then) / (time.perf_counter() - then)
        growth = growth_at(settings, before)
        report = Report(
            kimg=run.images_shown / 1000,
            level=growth.level,
            alpha=growth.alpha,
            d_loss=means[0],
            g_loss=means[1],
            wasserstein=means[2],
            images_per_second=speed,
            sample_due=sample_due,
            checkpoint_due=checkpoint_due,
        )
        on_report(run, report)
        sums, steps = torch.zeros_like(sums), 0
        shown_then, then = run.images_shown, time.perf_counter()


def step(run: Run) -> Tensor:
    """One step of discriminator, EMA and generator; (3,): both losses, Wasserstein estimate.

    Source of the order: train.py:227-231 of the implementation that Liu et al. 2020 used.
    """
    settings = run.settings
    growth = growth_at(settings, run.images_shown)
    prepare(run, growth.level, growth.fading)
    reals, latents, mix = _batch(run, growth)
    at = (growth.level, growth.alpha)

    with torch.no_grad():
        fakes = run.generator(latents[0], *at)
    # One pass for both: the groups of the minibatch std lie within either half.
    real_scores, fake_scores = run.discriminator(torch.cat([reals, fakes]), *at).chunk(2)
    distance = losses.wasserstein(real_scores, fake_scores)
    penalty = losses.gradient_penalty(lambda x: run.discriminator(x, *at), reals, fakes, mix)
    d_loss = settings.gradient_penalty * penalty + settings.drift * losses.drift(real_scores)
    d_loss = d_loss - distance
    _descend(run.d_optimizer, d_loss, run.worker)

    follow = get_ema_multi_avg_fn(settings.ema_decay)
    follow(list(run.average.parameters()), list(run.generator.parameters()), None)

    g_loss = losses.generator_loss(run.discriminator(run.generator(latents[1], *at), *at))
    _descend(run.g_optimizer, g_loss, run.worker)

    run.images_shown += growth.batch_size
    return torch.stack([d_loss.detach(), g_loss.detach(), distance.detach()])


def prepare(run: Run, level: int, fading: bool) -> None:
    """Fresh optimizers, and images of that size, where the last step was of another phase.

    Source: Adam's moments are reset when a level starts to fade in and when it is in, train.py:137
    and 221-223 of the implementation that Liu et al. 2020 used.
    """
    if (run.level, run.fading) == (level, fading):
        return
    if run.level != level:
        run.reals = level_images(run.images, level, run.device)
    run.level, run.fading = level, fading
    run.g_optimizer = _adam(run.generator, run)
    run.d_optimizer = _adam(run.discriminator, run)


def _adam(network: Generator | Discriminator, run: Run) -> Optimizer:
    parameters = list(active_parameters(network, run.level, run.fading))
    betas = (0.0, run.settings.beta2)
    return Adam(parameters, lr=run.settings.learning_rate, betas=betas, fused=True)


def _descend(optimizer: Optimizer | None, loss: Tensor, worker: Worker) -> None:
    assert optimizer is not None
    parameters = optimizer.param_groups[0]["params"]
    optimizer.zero_grad()
    loss.backward(inputs=parameters)  # the other network, if the loss passed it, gets no gradients
    worker.average(p.grad for p in parameters)
    optimizer.step()


def _batch(run: Run, growth: Growth) -> tuple[Tensor, Tensor, Tensor]:
    """This worker's share of the step's real images, two sets of latents, and mixing factors.

    All is drawn for the global batch, on the CPU, whatever the device and number of workers.
    """
    size, part = growth.batch_size, run.worker.share(growth.batch_size)
    chance = torch.Generator().manual_seed(seed_for(run.seed, "gan step", run.images_shown))
    latents = torch.randn(2, size, run.settings.latent_size, generator=chance)
    mix = torch.rand(size, 1, 1, 1, generator=chance)
    symmetries = torch.randint(_SYMMETRIES[run.settings.symmetry], (size,), generator=chance)
    shown = torch.from_numpy(order(run.seed, len(run.images), run.images_shown, size)[part])
    reals = unit(run.reals[shown.to(run.device)])
    if run.settings.symmetry != "none":
        reals = turned(reals, symmetries[part].to(run.device))
    reals = faded(reals, growth.alpha)
    return reals, latents[:, part].to(run.device), mix[part].to(run.device)


def _check_shares(settings: GanSettings, worker: Worker) -> None:
    for level, size in enumerate(settings.batch_sizes[: settings.levels]):
        if size % (worker.size * STD_GROUP):
            raise ConfigError(
                f"batch size {size} at {4 << level} px does not divide over {worker.size} workers "
                f"in groups of {STD_GROUP}; use fewer workers or other batch_sizes"
            )


def _passed(every_kimg: float, before: int, now: int) -> bool:
    every = every_kimg * 1000
    return now // every > before // every


def _finite(means: list[float], images_shown: int) -> list[float]:
    if not all(-1e30 < mean < 1e30 for mean in means):
        raise TrainingError(
            f"the GAN diverged before {images_shown / 1000:g} kimg (discriminator loss {means[0]}, "
            f"generator loss {means[1]}); start anew with another "
            "seed or a lower learning_rate"
        )
    return means
