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
from idhray.gan.guards import (
    batch_of,
    divergence_advice,
    memory_advice,
    not_finite,
    out_of_memory,
)
from idhray.gan.pggan.run import PgganRun
from idhray.gan.roll_back import slow_down
from idhray.gan.run import Losses, Run
from idhray.gan.stylegan2.config import StyleGan2Settings
from idhray.gan.stylegan2.run import StyleGan2Run


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
    fidelity_due: bool = False


OnReport = Callable[[Run, Report], bool | None]
OnDivergence = Callable[[Run, str], bool]
STOP_STEPS = 8  # several workers agree so often on whether to stop: a message each time


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


def train(
    run: Run,
    on_report: OnReport,
    *,
    until_kimg: float | None = None,
    fidelity_kimg: float | None = None,
    stop: Callable[[], bool] | None = None,
    on_divergence: OnDivergence | None = None,
    rate: float = 1.0,
) -> bool:
    """Train until `until_kimg` images (in thousands) were shown, all of `total_kimg` by default.

    Losses and weights are read, and must be finite, for reports only: the device never waits
    between.

    Args:
        run: New, or restored.
        on_report: Called on every worker whenever samples, a checkpoint or fidelity are due, and at
            the end with all due. True from any of them ends the training for good.
        until_kimg: Where to end.
        fidelity_kimg: How often fidelity is due; never when not given.
        stop: Asked after each step, of several workers after every 8th, whether to break off; then
            a last report follows with a checkpoint due.
        on_divergence: Called on every worker, with what is not finite, in place of `on_report`.
            True from any of them ends the training instead of the error.
        rate: Both networks learn at this part of the settings' rate, as after a roll back.

    Returns:
        Whether the training is over; False where `stop` broke it off.

    Raises:
        TrainingError: a loss or a weight is not finite, or memory ran out; the last checkpoint is
            still good.
    """
    settings = run.settings
    until = round((settings.total_kimg if until_kimg is None else until_kimg) * 1000)
    means, steps, saved = _Means(), 0, run.images_shown
    shown_then, then = run.images_shown, time.perf_counter()
    while run.images_shown < until:
        before = run.images_shown
        means.add(_step(run, rate))
        steps += 1
        ended = run.images_shown >= until
        asked = not ended and _asked(run, stop, steps)
        sample_due, checkpoint_due, fidelity_due = (
            ended or _passed(every, before, run.images_shown)
            for every in (settings.sample_kimg, settings.checkpoint_kimg, fidelity_kimg)
        )
        if not (sample_due or checkpoint_due or fidelity_due or asked):
            continue
        found = means.read(run.worker)
        seen = (run.average, run.generator, run.discriminator) if checkpoint_due or asked else ()
        if wrong := not_finite(found, seen):
            if _on_any(run, on_divergence is not None and on_divergence(run, wrong)):
                return True
            raise TrainingError(divergence_advice(wrong, run.images_shown / 1000, saved / 1000))
        speed = (run.images_shown - shown_then) / (time.perf_counter() - then)
        report = Report(
            kimg=run.images_shown / 1000,
            level=run.level,
            alpha=run.alpha,
            images_per_second=speed,
            sample_due=sample_due,
            checkpoint_due=checkpoint_due or asked,
            fidelity_due=fidelity_due and bool(fidelity_kimg),
            **found,
        )
        if _on_any(run, bool(on_report(run, report))):
            return True
        if asked:
            return False
        saved = run.images_shown if checkpoint_due else saved
        means = _Means()
        shown_then, then = run.images_shown, time.perf_counter()
    return True


def _step(run: Run, rate: float) -> Losses:
    """A step; memory that runs out becomes one line."""
    try:
        if rate != 1:
            slow_down(run, rate)
        return run.step()
    except RuntimeError as error:  # of which torch's own is a kind
        if not out_of_memory(error):
            raise
        size, side_px = batch_of(run.settings, run.images_shown)
        share = size // run.worker.size
        images = min(run.engine.micro_batch or share, share)
        raise TrainingError(memory_advice(images, side_px, str(run.device))) from None


def _asked(run: Run, stop: Callable[[], bool] | None, steps: int) -> bool:
    if stop is None or (run.worker.size > 1 and steps % STOP_STEPS):
        return False
    return _on_any(run, stop())


def _on_any(run: Run, said: bool) -> bool:
    """Whether any worker says so; all of them get the same answer."""
    if run.worker.size == 1:
        return said
    share = torch.tensor(float(said), device=run.device)
    run.worker.average([share])
    return bool(share > 0)


def _passed(every_kimg: float | None, before: int, now: int) -> bool:
    if not every_kimg:
        return False
    every = every_kimg * 1000
    return now // every > before // every
