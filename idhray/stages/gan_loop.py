"""What every worker does while a GAN trains: continue, measure, warn, save, report."""

import contextlib
import math
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import ray.train
import ray.train.torch

from idhray.errors import StorageError, TableError, TrainingError
from idhray.gan.checkpoint import TRAINING, checkpoint_files, read_model, restore
from idhray.gan.config import gan_settings
from idhray.gan.engine import Engine
from idhray.gan.guards import REPORTS, gap_limit, newly_beyond
from idhray.gan.run import Run
from idhray.gan.sample import generate, generator_of, grid
from idhray.gan.snapshots import newest_snapshot, publish_files, publish_snapshot
from idhray.gan.trainer import Report, new_run, train
from idhray.gan.transfer import init_from as start_from
from idhray.images import encode
from idhray.stages.feature_extractor import extractor_of
from idhray.stages.gan_fidelity import EVALUATIONS, Meter, meter_of, newly_worse
from idhray.stages.gan_images import RealImages, channel_names, training_images
from idhray.stages.training import add_to_history, history_of, this_worker
from idhray.storage import exists, join, publish

SAMPLES = 36  # images of a sample sheet, 6 by 6
LAST, BEST = "_last", "_best"  # snapshots while it trains
KEPT = "kept"
STOP = "_stop"  # a file that asks the workers to stop
SECONDS_PER_LOOK = 1.0

WhenWorse = Literal["continue", "stop"]


def train_loop(config: dict[str, Any]) -> None:
    """In every worker of Ray Train: load, continue, report.

    Raises:
        TrainingError: it diverged, memory ran out, or it was asked to stop.
    """
    settings = gan_settings(config["architecture"], config["settings"])
    real = training_images(config["images"], config["idh"], settings)
    run = new_run(
        real.images,
        settings,
        seed=config["seed"],
        idh=config["idh"],
        patients=real.patients,
        worker=this_worker(),
        device=ray.train.torch.get_device(),
        engine=Engine(**config["engine"]),
    )
    if config["init_from"]:
        start_from(run, config["init_from"], config["freeze_layers"])
    out = config["out"]
    if last := newest_snapshot(join(out, LAST)):
        restore(run, last)
        if read_model(last).get("stopped"):
            return
    reports = _reports(config, run, real)
    over = train(
        run,
        reports,
        fidelity_kimg=config["fidelity_every_kimg"],
        stop=_asked_to_stop(join(out, STOP), looks=run.worker.rank == 0),
    )
    if not over:
        raise TrainingError(
            f"{out}: stopped by SIGTERM; a checkpoint of {run.images_shown / 1000:g} kimg is "
            "there, and the same command goes on from it"
        )


@dataclass
class _Asked:
    """Whether a file is there; looked for once a second at most, as storage may be far away."""

    path: str
    looked: float = -math.inf

    def __call__(self) -> bool:
        if time.monotonic() - self.looked < SECONDS_PER_LOOK:
            return False
        self.looked = time.monotonic()
        return exists(self.path)


def _asked_to_stop(path: str, *, looks: bool) -> Any:
    return _Asked(path) if looks else lambda: False


def _reports(config: dict[str, Any], run: Run, real: RealImages) -> "Reports":
    reports = Reports(
        config["out"],
        when_worse=config["when_worse"],
        keep_every_kimg=config["keep_every_kimg"],
        kept_at=run.images_shown,
    )
    if run.worker.rank == 0 and config["fidelity_every_kimg"]:
        try:
            names = channel_names(config["images"], run.settings)
            extractor = extractor_of(config["features"], str(run.device))
            reports.meter = meter_of(real, names, extractor, config["fidelity_images"])
        except TableError as error:
            reports.notes.append(f"fidelity is not measured: {error}")
    return reports


@dataclass
class Reports:
    """Called by `train` on every worker; worker 0 writes."""

    out: str
    when_worse: WhenWorse = "continue"
    keep_every_kimg: float | None = None
    kept_at: int = 0
    """Images shown at the last checkpoint of this process."""
    meter: Meter | None = None
    notes: list[str] = field(default_factory=list)
    """To be said at the next report."""

    def __call__(self, run: Run, report: Report) -> bool:
        """Whether to end the training for good."""
        metrics = asdict(report)
        ended = False
        if run.worker.rank == 0:
            with explained(self.out, run):
                ended = self._lead(run, report, metrics)
        plain = {k: v for k, v in metrics.items() if isinstance(v, int | float)}
        ray.train.report(plain)
        return ended

    def _lead(self, run: Run, report: Report, metrics: dict[str, Any]) -> bool:
        if report.sample_due:
            sheet = grid(generate(generator_of(run), run.seed, range(SAMPLES)), columns=6)
            publish(join(self.out, "samples", f"kimg-{report.kimg:09.3f}.png"), encode(sheet))
        if self.meter and report.fidelity_due:
            metrics |= self.meter(run)
        past = [e for e in history_of(self.out) if e["kimg"] < report.kimg]
        signs = _signs([*past, metrics], run)
        metrics["warnings"], self.notes = [*self.notes, *signs], []
        add_to_history(self.out, metrics)
        ended = bool(signs) and self.when_worse == "stop"
        if report.checkpoint_due or report.fidelity_due or ended:
            self._save(run, [*past, metrics], signs[0] if ended else None)
        return ended

    def _save(self, run: Run, history: list[dict[str, Any]], stopped: str | None) -> None:
        """The best first: whatever is in the last snapshot is then no better than it."""
        now = history[-1]
        about = {
            "kid": now.get("kid"),
            "kid_floor": now.get("kid_floor"),
            "extractor": now.get("extractor"),
            "warnings": [line for entry in history for line in entry.get("warnings", [])],
            "stopped": stopped,
        }
        files = checkpoint_files(run, about)
        if now.get("kid") is not None and now["kid"] < _best_kid(self.out):
            publish_snapshot(files, join(self.out, BEST), run.images_shown)
        every = (self.keep_every_kimg or 0) * 1000
        if every and run.images_shown // every > self.kept_at // every:
            weights = {name: data for name, data in files.items() if name != TRAINING}
            publish_files(weights, join(self.out, KEPT, f"kimg-{now['kimg']:09.3f}"))
        publish_snapshot(files, join(self.out, LAST), run.images_shown)
        self.kept_at = run.images_shown


def _best_kid(out: str) -> float:
    best = newest_snapshot(join(out, BEST))
    return float(read_model(best)["kid"]) if best else math.inf


def _signs(history: list[dict[str, Any]], run: Run) -> list[str]:
    """One line for each sign that begins with the last entry."""
    gaps = [entry["score_gap"] for entry in history]
    limits = [gap_limit(run.settings, 4 << entry["level"]) for entry in history]
    kimg = history[-1]["kimg"]
    found = []
    if newly_beyond(gaps, limits):
        found.append(
            f"the score gap is beyond {limits[-1]:g} in {REPORTS} reports, at {kimg:g} kimg: the "
            "discriminator is out of hand"
        )
    if newly_worse(history):
        found.append(f"fidelity is worse {EVALUATIONS} times in a row, at {kimg:g} kimg")
    return found


@contextlib.contextmanager
def explained(out: str, run: Run) -> Iterator[None]:
    """Say in one line that something cannot be written, a full disk for one.

    Raises:
        StorageError: it was so.
    """
    try:
        yield
    except OSError as error:
        last = newest_snapshot(join(out, LAST))
        shown = f"{read_model(last)['images_shown'] / 1000:g} kimg" if last else "none yet"
        why = os.strerror(error.errno) if error.errno else str(error)
        raise StorageError(
            f"{out}: cannot be written at {run.images_shown / 1000:g} kimg ({why}); the last "
            f"checkpoint ({shown}) is whole; make room and give the same command again"
        ) from None
