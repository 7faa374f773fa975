"""Callbacks of a training at each report: measure, warn, save, stop or return."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import ray.train
import torch
from numpy.typing import NDArray

from idhray.cohorts.manifest import LABELS
from idhray.errors import FullError, StorageError
from idhray.gan.checkpoint import TRAINING, checkpoint_files, computed, read_model
from idhray.gan.compiled import UNPROVEN
from idhray.gan.roll_back import FACTOR, MOST
from idhray.gan.run import Run
from idhray.gan.sample import generate, generator_of, image_grid
from idhray.gan.snapshots import (
    amend,
    newest_snapshot,
    publish_files,
    publish_snapshot,
    return_to,
)
from idhray.gan.trainer import Report
from idhray.images import encode
from idhray.stages.gan_training.event_file import publish_events
from idhray.stages.gan_training.fidelity_meter import ClassMeters, Meter, is_better
from idhray.stages.gan_training.warning_signs import Sign, signs_of
from idhray.stages.gan_training.worker_warnings import WorkerWarnings
from idhray.stages.runtime.training import add_to_history, forget_after, history_of
from idhray.storage import exists, join, publish

SAMPLES = 36  # images of a sample sheet, 6 by 6
REAL_SHEETS = ("samples/real.png", *(f"samples/{label}-real.png" for label in LABELS))
"""Sheets of real images, by class if a network has both; they show patients, so a withdrawal
deletes them."""
LAST, BEST = "_last", "_best"  # snapshots while it trains
EXTENDED = "extended"
"""Entry of model.json: the shorter trainings that this one continued, see `extension.py`."""
KEPT = "kept"
COMPUTED_BEFORE = "computed_before"
"""Entry of model.json: how earlier parts of a training were computed, each with `until_kimg`."""

FIDELITY = "fidelity"
"""Entry of model.json: the measures of the state of a checkpoint that tell which one is better."""
MEASURES = (
    "kid_floor_spread", "kid_floor_min", "kid_floor_max", "precision", "recall", "coverage",
    "coverage_floor", "coverage_floor_min", "coverage_floor_max",
)  # fmt: skip

WhenWorse = Literal["continue", "stop", "roll_back"]


@dataclass
class Reports:
    """Callbacks of `train` on every worker; worker 0 writes."""

    out: str
    when_worse: WhenWorse = "continue"
    keep_every_kimg: float | None = None
    meter: Meter | ClassMeters | None = None
    notes: list[str] = field(default_factory=list)
    """Warnings for the next report."""
    told_uncompiled: set[str] = field(default_factory=set)
    """Phases that a warning has named as not compiled."""
    told_unproven: set[str] = field(default_factory=set)
    """Ways to compute that a warning has named as not yet run on a GPU."""
    reals: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    """(N, height, width, C) training images, some of which stand on a sheet beside the samples; by
    class, whose name is empty if there is one."""
    worker_warnings: WorkerWarnings | None = None
    """Python warnings of this process, among them those of torch."""
    about: dict[str, Any] = field(default_factory=dict)
    """Further entries of every checkpoint's model.json."""
    saved_at: int = 0
    """Images shown at the last checkpoint of this process."""
    rolled_back: list[dict[str, Any]] = field(default_factory=list)
    """One entry for each return: from_kimg, to_kimg, why (the reason) and learning_rate (fraction
    of the settings' rate from then on)."""

    def __call__(self, run: Run, report: Report) -> bool:
        """True to end the training, for good or to return to an earlier snapshot."""
        metrics = report.metrics()
        ended = False
        self.notes += _other_workers(run)
        if run.worker.rank == 0:
            with one_line_if_unwritable(self.out, run.images_shown):
                ended = self._lead(run, report, metrics)
        plain = {k: v for k, v in metrics.items() if isinstance(v, int | float)}
        ray.train.report(plain)
        return ended

    def begin(self, run: Run, snapshot: str) -> None:
        """Continue from the snapshot of a restored run, and forget later reports."""
        self.saved_at = run.images_shown
        model = read_model(snapshot)
        self.rolled_back = list(model.get("rolled_back", []))
        if before := computed_before(model, run):
            self.about[COMPUTED_BEFORE] = before
        if EXTENDED in model:
            self.about[EXTENDED] = model[EXTENDED]
        if run.worker.rank == 0:
            forget_after(self.out, run.images_shown / 1000)
        if self.rolled_back and self.rolled_back[-1]["to_kimg"] == run.images_shown / 1000:
            self.notes.append(
                "returned from {from_kimg:g} to {to_kimg:g} kimg ({why}); continued at "
                "{learning_rate:g} of the learning rate".format(**self.rolled_back[-1])
            )

    @property
    def rate(self) -> float:
        """Fraction of the settings' learning rate."""
        return float(FACTOR ** len(self.rolled_back))

    def diverged(self, run: Run, wrong: str) -> bool:
        """Return to the last checkpoint, if this is wanted and there is one; True if done."""
        if self.when_worse != "roll_back" or run.worker.rank != 0:
            return False
        with one_line_if_unwritable(self.out, run.images_shown):
            last = newest_snapshot(join(self.out, LAST))
            if last is None:
                return False
            reason = f"not finite: {wrong}"
            if not self._go_back(run, last, reason):
                amend(last, {"stopped": reason})
            return True

    def _lead(self, run: Run, report: Report, metrics: dict[str, Any]) -> bool:
        """Work of worker 0 at a report; True to end the training."""
        if report.sample_due:
            self._publish_sheets(run, report)
        if self.meter and report.fidelity_due:
            metrics |= self.meter(run)
        past = [e for e in history_of(self.out) if e["kimg"] < report.kimg]
        signs = signs_of([*past, metrics], run)
        self.notes += [*self._new_uncompiled(run), *self._new_unproven(run)]
        if self.worker_warnings:
            self.notes += self.worker_warnings.new()
        metrics["warnings"], self.notes = [*self.notes, *(sign.line for sign in signs)], []
        add_to_history(self.out, metrics)
        publish_events(self.out, [*past, metrics])
        stop_reason = signs[0].line if signs and self.when_worse == "stop" else None
        for sign in signs if self.when_worse == "roll_back" else ():
            if best := self._snapshot_to_return_to(metrics, sign):
                if self._go_back(run, best, sign.line):
                    return True
                stop_reason = sign.line
        if report.checkpoint_due or report.fidelity_due or stop_reason:
            self._save(run, [*past, metrics], stop_reason)
        return bool(stop_reason)

    def _publish_sheets(self, run: Run, report: Report) -> None:
        """Write a sheet of generated images of each class, and once of real ones."""
        names = ("",) if run.classes is None else LABELS
        for place, name in enumerate(names):
            start = join(self.out, "samples", f"{name}-" if name else "")
            if name in self.reals and not exists(f"{start}real.png"):
                publish(f"{start}real.png", real_sheet(self.reals[name]))
            generator = generator_of(run, place if name else None)
            sheet = image_grid(generate(generator, run.seed, range(SAMPLES)), columns=6)
            publish(f"{start}kimg-{report.kimg:09.3f}.png", encode(sheet))

    def _new_uncompiled(self, run: Run) -> list[str]:
        """Warning of the phases that were found not to compile since the last report."""
        new = {k: v for k, v in run.engine.uncompiled.items() if k not in self.told_uncompiled}
        self.told_uncompiled |= new.keys()
        if not new:
            return []
        reason = next(iter(new.values()))
        return [
            f"--compile: {', '.join(new)} cannot be compiled and run as they are ({reason}); "
            "compiling needs a C++ compiler (g++ or clang++, see CXX)"
        ]

    def _new_unproven(self, run: Run) -> list[str]:
        """Warning of ways to compute that ran for the first time and that no GPU has proven."""
        new = sorted({*computed(run).get(UNPROVEN, ())} - self.told_unproven)
        self.told_unproven |= {*new}
        if not new:
            return []
        return [
            f"{' and '.join(new)}: {UNPROVEN} by the authors of this version; compare its first "
            "images and losses with those of a training without --compile and --cuda-graphs"
        ]

    def _snapshot_to_return_to(self, now: dict[str, Any], sign: Sign) -> str | None:
        """Best snapshot, if the present state is no better and it is older than the sign."""
        best = newest_snapshot(join(self.out, BEST))
        if best is None:
            return None
        model = read_model(best)
        better = is_better(now, measures_of(model))
        return None if better or model["images_shown"] / 1000 >= sign.since_kimg else best

    def _go_back(self, run: Run, snapshot: str, reason: str) -> bool:
        """Make a snapshot the one to continue from; False after too many returns."""
        turn = len(self.rolled_back) + 1
        if turn > MOST:
            return False
        entry = {
            "from_kimg": run.images_shown / 1000,
            "to_kimg": read_model(snapshot)["images_shown"] / 1000,
            "why": reason,
            "learning_rate": FACTOR**turn,
        }
        changes = {"rolled_back": [*self.rolled_back, entry]}
        return_to(snapshot, join(self.out, LAST), turn, changes)
        return True

    def _save(self, run: Run, history: list[dict[str, Any]], stopped: str | None) -> None:
        """Publish the best snapshot first, so that the last one is never better than it."""
        now = history[-1]
        about = {
            **self.about,
            "kid": now.get("kid"),
            "kid_floor": now.get("kid_floor"),
            "extractor": now.get("extractor"),
            FIDELITY: {key: now[key] for key in MEASURES if key in now},
            "warnings": [line for entry in history for line in entry.get("warnings", [])],
            "rolled_back": self.rolled_back,
            "stopped": stopped,
        }
        files = checkpoint_files(run, about)
        best = newest_snapshot(join(self.out, BEST))
        if is_better(now, measures_of(read_model(best)) if best else None):
            publish_snapshot(files, join(self.out, BEST), run.images_shown)
        every = (self.keep_every_kimg or 0) * 1000
        if every and run.images_shown // every > self.saved_at // every:
            weights = {name: data for name, data in files.items() if name != TRAINING}
            publish_files(weights, join(self.out, KEPT, f"kimg-{now['kimg']:09.3f}"))
        publish_snapshot(files, join(self.out, LAST), run.images_shown)
        self.saved_at = run.images_shown


def computed_before(model: dict[str, Any], run: Run) -> list[dict[str, Any]]:
    """Computations of the parts of a training before this process, if they differ from its own.

    Args:
        model: Content of model.json of the last snapshot.
        run: Run that continues; what it will have compiled is not known yet.
    """
    earlier = list(model.get(COMPUTED_BEFORE, ()))
    before = model.get("computed", {})
    unknown = ("compile", "compiled", "uncompiled", "cuda_graphs", UNPROVEN)
    same = all(
        before.get(key) == value for key, value in computed(run).items() if key not in unknown
    )
    compiles = bool(before.get("compile") or before.get("compiled") or before.get("uncompiled"))
    if not before or (same and compiles == run.engine.compiles):
        return earlier
    return [*earlier, {"until_kimg": model["images_shown"] / 1000, **before}]


def _other_workers(run: Run) -> list[str]:
    """Warning if some of several workers compiled and others did not: a collective call."""
    if run.worker.size == 1 or not run.engine.compiles:
        return []
    plain = torch.tensor(float(bool(run.engine.uncompiled)), device=run.device)
    run.worker.average([plain])
    count = round(float(plain) * run.worker.size)
    if not 0 < count < run.worker.size:
        return []
    return [f"--compile: {count} of {run.worker.size} workers run phases as they are"]


def measures_of(model: dict[str, Any]) -> dict[str, Any]:
    """Measures of fidelity in model.json; those of earlier versions have KID only."""
    return {"kid": model.get("kid"), **model.get(FIDELITY, {})}


def floor_text(model: dict[str, Any]) -> str:
    """Floor of KID with its range over the draws, from model.json."""
    measures = measures_of(model)
    if measures.get("kid_floor_min") is None:
        return str(model.get("kid_floor"))
    ends = measures["kid_floor_min"], measures["kid_floor_max"]
    return "{:.4g}, {:.4g} to {:.4g}".format(model["kid_floor"], *ends)


def real_sheet(images: NDArray[np.uint8]) -> bytes:
    """Sheet of real training images, as many as on a sheet of samples, evenly from all of them."""
    places = np.linspace(0, len(images) - 1, min(SAMPLES, len(images))).round().astype(int)
    return encode(image_grid(images[places], columns=6))


@contextlib.contextmanager
def one_line_if_unwritable(out: str, images_shown: int) -> Iterator[None]:
    """Within, a write error, such as a full disk, becomes one line.

    Raises:
        StorageError: something could not be written.
    """
    try:
        yield
    except (OSError, FullError) as error:
        cause = error if isinstance(error, OSError) else error.__context__
        last = newest_snapshot(join(out, LAST))
        saved = f"{read_model(last)['images_shown'] / 1000:g} kimg" if last else "none yet"
        number = cause.errno if isinstance(cause, OSError) else None
        reason = os.strerror(number) if number else str(error)
        raise StorageError(
            f"{out}: cannot be written at {images_shown / 1000:g} kimg ({reason}); the last "
            f"checkpoint ({saved}) is complete; make room and run the same command again"
        ) from None
