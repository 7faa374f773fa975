"""Train a GAN on one class of images; continues where it was, alone or as one of several workers.

One trainer for all architectures: what a step is, the run knows (`pggan_run`, `stylegan2_run`).
"""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from idhray.chance import seed_for
from idhray.distributed import Worker
from idhray.errors import TrainingError
from idhray.gan.config import GanSettings
from idhray.gan.data import Images, check_images
from idhray.gan.engine import Engine
from idhray.gan.pggan_run import PgganRun
from idhray.gan.run import Losses, Run
from idhray.gan.stylegan2_config import StyleGan2Settings
from idhray.gan.stylegan2_run import StyleGan2Run


@dataclass(frozen=True, kw_only=True)
class Report:
    """What is known each time that samples or a checkpoint are due; losses are means since then."""

    kimg: float
    level: int
    """Images are 4 * 2^level px."""
    alpha: float
    """How far that level is faded in."""
    d_loss: float
    g_loss: float
    score_gap: float
    """How much higher real images score; of PGGAN, their estimated (Wasserstein) distance."""
    r1: float | None = None
    """Mean squared slope of the score at real images; None where it was not taken."""
    path_length: float | None = None
    images_per_second: float
    sample_due: bool
    checkpoint_due: bool


OnReport = Callable[[Run, Report], None]


@dataclass
class _Means:
    """Means of losses, kept on the device until they are asked for."""

    sums: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, losses: Losses) -> None:
        """Count one step; not every step has every loss."""
        for name, value in losses.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value.clone()
            self.counts[name] = self.counts.get(name, 0) + 1

    def read(self, worker: Worker) -> dict[str, float]:
        """The means over all workers."""
        means = torch.stack([self.sums[name] / self.counts[name] for name in self.sums])
        worker.average([means])
        return dict(zip(self.sums, means.tolist(), strict=True))


def new_run(
    images: Images,
    settings: GanSettings,
    *,
    seed: int,
    idh: str,
    patients: tuple[str, ...],
    worker: Worker | None = None,
    device: str | torch.device = "cpu",
    engine: Engine | None = None,
) -> Run:
    """A run with seeded first weights, alike on every worker.

    `transfer.init_from` gives it the weights of another run, `checkpoint.restore` continues it.

    Args:
        images: (N, height, width, channels) uint8, in an order that is the same on every worker.
        settings: Their type says which architecture it is.
        idh: The class of all the images.
        patients: Whose images they are.
        worker: Which of several; the only one when not given.
        device: Where to compute.
        engine: How to compute.

    Raises:
        ConfigError: images do not fit the settings, or batches do not divide over the workers.
    """
    check_images(images, settings)
    worker = worker or Worker()
    kind: type[Run] = StyleGan2Run if isinstance(settings, StyleGan2Settings) else PgganRun
    kind.check_shares(settings, worker)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "gan weights"))
        generator, discriminator = kind.networks(settings)
    generator.to(device)
    return kind(
        settings=settings,
        engine=engine or Engine(),
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
    means = _Means()
    shown_then, then = run.images_shown, time.perf_counter()
    while run.images_shown < until:
        before = run.images_shown
        means.add(run.step())
        ended = run.images_shown >= until
        sample_due = ended or _passed(settings.sample_kimg, before, run.images_shown)
        checkpoint_due = ended or _passed(settings.checkpoint_kimg, before, run.images_shown)
        if not (sample_due or checkpoint_due):
            continue
        found = _finite(means.read(run.worker), run.images_shown)
        speed = (run.images_shown - shown_then) / (time.perf_counter() - then)
        report = Report(
            kimg=run.images_shown / 1000,
            level=run.level,
            alpha=run.alpha,
            images_per_second=speed,
            sample_due=sample_due,
            checkpoint_due=checkpoint_due,
            **found,
        )
        on_report(run, report)
        means = _Means()
        shown_then, then = run.images_shown, time.perf_counter()


def _passed(every_kimg: float, before: int, now: int) -> bool:
    every = every_kimg * 1000
    return now // every > before // every


def _finite(means: dict[str, float], images_shown: int) -> dict[str, float]:
    if not all(-1e30 < mean < 1e30 for mean in means.values()):
        raise TrainingError(
            f"the GAN diverged before {images_shown / 1000:g} kimg (discriminator loss "
            f"{means['d_loss']}, generator loss {means['g_loss']}); start anew with another seed "
            "or a lower learning_rate"
        )
    return means
