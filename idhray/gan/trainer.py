"""Train a generator on one class of images, from its last state, as one worker or one of several.

The trainer is the same for all architectures; a run defines the step.
"""

import contextlib
import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from idhray.chance import seed_for
from idhray.distributed import Worker
from idhray.errors import ConfigError, TrainingError
from idhray.gan.architectures import architecture_of
from idhray.gan.config import CLASS_COUNT, GanSettings, is_conditional
from idhray.gan.data import TrainingImages, check_images
from idhray.gan.engine import Engine
from idhray.gan.guards import divergence_advice, memory_advice, not_finite, out_of_memory
from idhray.gan.roll_back import slow_down
from idhray.gan.run import Losses, Run


@dataclass(frozen=True, kw_only=True)
class Report:
    """State of a training when samples, a checkpoint or fidelity are due."""

    kimg: float
    level: int
    """Images are 4 * 2^level px."""
    alpha: float
    """Weight of that level against the one below."""
    losses: dict[str, float | None]
    """Means since the last report, by name; None for a loss that no step measured."""
    images_per_second: float
    sample_due: bool
    checkpoint_due: bool
    fidelity_due: bool

    def metrics(self) -> dict[str, Any]:
        """All values in one flat dict, as they are stored."""
        values = {name: value for name, value in vars(self).items() if name != "losses"}
        first = {name: values.pop(name) for name in ("kimg", "level", "alpha")}
        return first | self.losses | values


OnReport = Callable[[Run, Report], bool | None]
OnDivergence = Callable[[Run, str], bool]
STOP_STEPS = 8  # steps between two messages in which several workers agree on a stop


@dataclass
class _Means:
    """Means of losses, on the device until they are read."""

    sums: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, losses: Losses) -> None:
        """Count one step; a step need not measure every loss."""
        for name, value in losses.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value.clone()
            self.counts[name] = self.counts.get(name, 0) + 1

    def read(self, worker: Worker) -> dict[str, float]:
        """Means over all workers."""
        means = torch.stack([self.sums[name] / self.counts[name] for name in self.sums])
        worker.average([means])
        return dict(zip(self.sums, means.tolist(), strict=True))


def _owners(
    images: TrainingImages, settings: GanSettings, patients: tuple[str, ...]
) -> tuple[int, ...] | None:
    """Number of the patient of each image, for the settings that weigh patients equally."""
    if settings.patient_weights == "images":
        return None
    if len(patients) != len(images):
        raise ConfigError("patient_weights equal needs the patient of each image")
    numbers = {name: number for number, name in enumerate(sorted(set(patients)))}
    return tuple(numbers[name] for name in patients)


def _check_classes(
    images: TrainingImages, settings: GanSettings, classes: tuple[int, ...] | None
) -> None:
    """Refuse classes that do not fit the images, or that the networks do not take."""
    if (classes is not None) != is_conditional(settings):
        raise ConfigError("a conditional generator, and no other, needs the class of each image")
    if classes is not None and (
        len(classes) != len(images) or set(classes) != set(range(CLASS_COUNT))
    ):
        raise ConfigError(
            f"a conditional generator needs images of both classes, got {len(classes)} classes of "
            f"{len(images)} images: {sorted(set(classes))}"
        )


def new_run(
    images: TrainingImages,
    settings: GanSettings,
    *,
    seed: int,
    idh: str,
    patients: tuple[str, ...],
    classes: tuple[int, ...] | None = None,
    worker: Worker | None = None,
    device: str | torch.device = "cpu",
    engine: Engine | None = None,
) -> Run:
    """Run with seeded first weights, equal on every worker.

    `transfer.init_from` gives it the weights of another run, `checkpoint.restore` continues it.

    Args:
        images: (N, height, width, channels) uint8, in the same order on every worker.
        settings: Settings; their type decides the architecture.
        seed: Seed of weights, order and latents.
        idh: Class of all the images; `both` for a conditional generator.
        patients: Patient of each image; or all patients, in any order, if the settings do not
            weigh them.
        classes: Class of each image, 0 or 1, for a conditional generator; None for one class.
        worker: This worker among several; the only one by default.
        device: Device of networks and images.
        engine: Precision, compilation and parts of a batch.

    Raises:
        ConfigError: images do not fit the settings, or batches do not divide over the workers.
    """
    check_images(images, settings)
    _check_classes(images, settings, classes)
    worker = worker or Worker()
    run_type = architecture_of(settings).run
    run_type.check_shares(settings, worker)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "gan weights"))
        networks: dict[str, Any] = run_type.new_networks(settings)
    engine = engine or Engine()
    engine.set_up(torch.device(device))
    for network in networks.values():
        network.to(device)
    return run_type(
        settings=settings,
        engine=engine,
        seed=seed,
        idh=idh,
        patients=tuple(sorted(set(patients))),
        images=images,
        owners=_owners(images, settings, patients),
        classes=classes,
        worker=worker,
        device=torch.device(device),
        average=copy.deepcopy(networks["generator"]).requires_grad_(False),
        **networks,
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
    """Train until `until_kimg` images (in thousands) were shown, by default `total_kimg`.

    Losses and weights are read, and must be finite, only for reports: between them the device never
    waits.

    Args:
        run: New or restored run.
        on_report: Called on every worker whenever samples, a checkpoint or fidelity are due, and at
            the end with all due. True from any worker ends the training for good.
        until_kimg: Images after which to end.
        fidelity_kimg: Interval between fidelity measurements; None for never.
        stop: Called after each step, or after every 8th one with several workers. True breaks the
            training off, after a last report with a checkpoint due.
        on_divergence: Called on every worker with the values that are not finite, in place of
            `on_report`. True from any worker ends the training without an error.
        rate: Fraction of the settings' learning rate, as after a roll back.

    Returns:
        True if the training is over, False if `stop` broke it off.

    Raises:
        TrainingError: a loss or a weight is not finite, or memory ran out; the last checkpoint is
            still good.
    """
    settings = run.settings
    until = round((settings.total_kimg if until_kimg is None else until_kimg) * 1000)
    means, steps, saved = _Means(), 0, run.images_shown
    report_images, report_time = run.images_shown, time.perf_counter()
    while run.images_shown < until:
        before = run.images_shown
        means.add(_step(run, rate))
        steps += 1
        ended = run.images_shown >= until
        stopped = not ended and _stopped(run, stop, steps)
        sample_due, checkpoint_due, fidelity_due = (
            ended or _passed(interval, before, run.images_shown)
            for interval in (settings.sample_kimg, settings.checkpoint_kimg, fidelity_kimg)
        )
        if not (sample_due or checkpoint_due or fidelity_due or stopped):
            continue
        losses = means.read(run.worker)
        networks = run.networks.values() if checkpoint_due or stopped else ()
        if wrong := not_finite(losses, networks):
            if _on_any(run, on_divergence is not None and on_divergence(run, wrong)):
                return True
            raise TrainingError(divergence_advice(wrong, run.images_shown / 1000, saved / 1000))
        seconds = time.perf_counter() - report_time
        report = Report(
            kimg=run.images_shown / 1000,
            level=run.level,
            alpha=run.alpha,
            losses=dict.fromkeys(architecture_of(settings).losses) | losses,
            images_per_second=(run.images_shown - report_images) / seconds,
            sample_due=sample_due,
            checkpoint_due=checkpoint_due or stopped,
            fidelity_due=fidelity_due and bool(fidelity_kimg),
        )
        if _on_any(run, bool(on_report(run, report))):
            return True
        if stopped:
            return False
        saved = run.images_shown if checkpoint_due else saved
        means = _Means()
        report_images, report_time = run.images_shown, time.perf_counter()
    return True


def _step(run: Run, rate: float) -> Losses:
    """Losses of one step; running out of memory becomes one line.

    Raises:
        TrainingError: memory ran out.
    """
    try:
        if rate != 1:
            slow_down(run, rate)
        return run.step()
    except RuntimeError as error:  # the class of torch's own memory error
        if not out_of_memory(error):
            raise
        raise TrainingError(_memory_advice(run)) from None


def _memory_advice(run: Run) -> str:
    """One line for the step of a run that did not fit."""
    settings, workers, architecture = run.settings, run.worker.size, architecture_of(run.settings)
    batch = architecture.batch_size(settings, run.images_shown)
    images = min(run.engine.micro_batch or batch // workers, batch // workers)
    return memory_advice(
        images,
        4 << architecture.growth_at(settings, run.images_shown).level,
        str(run.device),
        graphs=run.engine.cuda_graphs,
        workers=_more_workers(run, batch) if run.device.type == "cuda" else None,
    )


def _more_workers(run: Run, batch: int) -> int | None:
    """Next larger number of workers that the batches of every level divide over."""
    for workers in range(run.worker.size + 1, batch + 1):
        with contextlib.suppress(ConfigError):
            run.check_shares(run.settings, Worker(0, workers))
            return workers
    return None


def _stopped(run: Run, stop: Callable[[], bool] | None, steps: int) -> bool:
    """True if any worker is to stop after this step."""
    if stop is None or (run.worker.size > 1 and steps % STOP_STEPS):
        return False
    return _on_any(run, stop())


def _on_any(run: Run, flag: bool) -> bool:
    """True on all workers if the flag is true on any of them."""
    if run.worker.size == 1:
        return flag
    share = torch.tensor(float(flag), device=run.device)
    run.worker.average([share])
    return bool(share > 0)


def _passed(interval_kimg: float | None, before: int, now: int) -> bool:
    """True if a multiple of the interval lies between the images shown before and now."""
    if not interval_kimg:
        return False
    interval = interval_kimg * 1000
    return now // interval > before // interval
