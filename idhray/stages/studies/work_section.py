"""Work of a study for its report: inputs, hours, throughput, GPU-hours, and their price."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from idhray import ledger
from idhray.gan.checkpoint import MODEL
from idhray.planning.cluster_cost import Prices
from idhray.report.content import ReportTable
from idhray.stages.experiment.outcome import is_experiment, read_outcome
from idhray.stages.runtime.training import history_of
from idhray.storage import SETTINGS, exists, join, read_json

TABLES = {"tiles": "slides", "patches": "slides", "slices": "studies", "slices-normal": "studies"}


@dataclass(frozen=True, kw_only=True)
class WorkDone:
    """Work of one stage, summed over its workers."""

    stage: str
    amount: float
    """Inputs, kimg or trainings."""
    unit: str
    hours: float
    """Hours of work; those of workers at the same time are added."""
    gpu_hours: float = 0.0

    def price(self, prices: Prices) -> float:
        """Price: a GPU-hour has its machine, all other hours are of one CPU."""
        cpu_hours = self.hours if not self.gpu_hours else 0.0
        return cpu_hours * prices.cpu_hour + self.gpu_hours * prices.gpu_hour


def work_table(
    study: str, root: str, gans: Sequence[str], prices: Prices | None = None
) -> list[ReportTable]:
    """Work of each stage as a table; none if no stage recorded any.

    Args:
        study: Folder of the study.
        root: Folder of the experiment.
        gans: Folders of the checkpoints.
        prices: Prices, or None to leave the cost out.
    """
    works = [*_tables(study), *_generators(gans), *_trainings(root)]
    if not works:
        return []
    is_priced = prices is not None and bool(prices.cpu_hour or prices.gpu_hour)
    rows = [_row(work, prices if is_priced else None) for work in works]
    gpu_hours, hours = sum(w.gpu_hours for w in works), sum(w.hours for w in works)
    total = ["all", "", f"{hours:.2f}", "", f"{gpu_hours:.2f}"]
    caption = (
        "Hours are those of the workers together, as the ledgers recorded them; waiting, failed "
        "attempts, evaluation, synthesis and statistics are not in them."
    )
    if prices is not None and is_priced:
        total.append(f"{sum(work.price(prices) for work in works):.2f}")
        caption += (
            f" Prices: {prices.cpu_hour:g} {prices.currency} a CPU-hour, {prices.gpu_hour:g} "
            f"{prices.currency} a GPU-hour with its machine."
        )
    cost = [f"Cost ({prices.currency})"] if prices is not None and is_priced else []
    return [
        ReportTable(
            title="Work and cost" if cost else "Work",
            header=["Stage", "Done", "Hours", "Per hour", "GPU-hours", *cost],
            rows=[*rows, total],
            caption=caption,
        )
    ]


def _row(work: WorkDone, prices: Prices | None) -> list[str]:
    rate = f"{_count(work.amount / work.hours)} {work.unit}" if work.hours else ""
    row = [
        work.stage,
        f"{_count(work.amount)} {work.unit}",
        f"{work.hours:.2f}",
        rate,
        f"{work.gpu_hours:.2f}",
    ]
    return [*row, f"{work.price(prices):.2f}"] if prices is not None else row


def _count(number: float) -> str:
    """Number with three digits or more."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _tables(study: str) -> Iterator[WorkDone]:
    for name, unit in TABLES.items():
        fates = ledger.fates(join(study, name)) if exists(join(study, name, SETTINGS)) else {}
        hours = ledger.work(fates)["work_hours"]
        if hours:
            yield WorkDone(stage=name, amount=ledger.tally(fates)["done"], unit=unit, hours=hours)


def _generators(gans: Sequence[str]) -> Iterator[WorkDone]:
    """Training of all generators, from the rates in their histories."""
    kimg = hours = gpu_hours = 0.0
    for folder in gans:
        if not exists(join(folder, MODEL)):
            continue
        facts = read_json(join(folder, MODEL)).get("computed", {})
        shown, seconds = _timed(history_of(folder))
        workers = int(facts.get("workers", 1))
        kimg, hours = kimg + shown, hours + seconds * workers / 3600
        if facts.get("device", "cpu") != "cpu":
            gpu_hours += seconds * workers / 3600
    if hours:
        yield WorkDone(
            stage="generators", amount=kimg, unit="kimg", hours=hours, gpu_hours=gpu_hours
        )


def _timed(history: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Thousands of images, and the seconds in which they were shown."""
    kimg = seconds = before = 0.0
    for entry in history:
        rate, now = entry.get("images_per_second"), float(entry["kimg"])
        if rate and now > before:
            kimg += now - before
            seconds += (now - before) * 1000 / rate
        before = now
    return kimg, seconds


def _trainings(root: str) -> Iterator[WorkDone]:
    if not is_experiment(join(root, "sweep")):
        return
    trials = read_outcome(join(root, "sweep")).trials
    hours = trials[["seconds", "gpu_seconds"]].sum() / 3600
    yield WorkDone(
        stage="classifiers",
        amount=len(trials),
        unit="trainings",
        hours=float(hours["seconds"]),
        gpu_hours=float(hours["gpu_seconds"]),
    )
