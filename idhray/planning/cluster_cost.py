"""Size and cost of a study on a cluster: hours, storage and money, from measured rates.

Rates are those of the machine on which they were measured. Rates that nobody measured are None, and
their hours are left out with a line that says so.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from idhray.errors import ConfigError

HOUR_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Work of a study."""

    slides: int = 0
    """Slides to tile."""
    gigapixels: float = 2.0
    """Gigapixels of one slide at level 0, 20x. A slide of 40x counts a quarter of its pixels."""
    mri_patients: int = 0
    """Patients whose MRI is prepared."""
    generators: int = 0
    """Generators to train; one network for both classes counts once."""
    kimg: float = 0.0
    """Thousands of images that each generator is shown."""
    synthetic_images: int = 0
    """Images drawn from the generators."""
    trainings: int = 0
    """Trainings of classifiers: folds x repeats x arms."""


@dataclass(frozen=True, kw_only=True)
class ClusterRates:
    """Rates, measured on a machine like those of the cluster."""

    tile_cpu_s: float = 2.1
    """CPU-seconds to tile one gigapixel. Default: benchmarks/README.md, 160 slides of 0.4
    gigapixels with half tissue, 0.82 CPU-s each."""
    tile_gb: float = 0.056
    """GB of tiles of one gigapixel. Default: of the same slides, 3565 MB."""
    patient_cpu_s: float = 7.7
    """CPU-seconds to prepare one patient's MRI with deepbet. Default: benchmarks/README.md, one
    real patient."""
    patient_gb: float = 0.003
    """GB of slices of one patient."""
    kimg_gpu_s: float | None = None
    """GPU-seconds of 1000 images in the training of a generator. Default: not counted."""
    image_gpu_s: float | None = None
    """GPU-seconds to draw one synthetic image. Default: not counted."""
    training_gpu_s: float | None = None
    """GPU-seconds of one training of a classifier. Default: not counted."""
    generator_gb: float = 0.5
    """GB of the checkpoints of one generator."""
    image_gb: float = 0.0001
    """GB of one synthetic image."""
    cpu_share: float = 0.8
    """Share of the CPUs' time that is work; the rest is starts, waits and the end of a stage."""


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Prices of a cluster, in any currency. Those that are 0 are not counted."""

    cpu_hour: float = 0.0
    """Price of one CPU for an hour."""
    gpu_hour: float = 0.0
    """Price of one GPU with its machine for an hour."""
    gb_month: float = 0.0
    """Price of one GB for a month."""
    months: float = 1.0
    """Months for which the results are stored."""
    currency: str = "USD"
    """Name of the currency."""


@dataclass(frozen=True, kw_only=True)
class StepCost:
    """Cost of one step of the study."""

    step: str
    amount: str
    count: float
    """Units of work."""
    cpu_hours: float = 0.0
    gpu_hours: float = 0.0
    gb: float = 0.0
    is_counted: bool = True
    """False if its rate is not known."""


def cluster_costs(work: Workload, rates: ClusterRates) -> list[StepCost]:
    """Cost of each step that the study has.

    Raises:
        ConfigError: a number is negative, there is no work, or a share is not in (0, 1].
    """
    numbers = {**asdict(work), **asdict(rates)}
    if negative := [name for name, value in numbers.items() if value is not None and value < 0]:
        raise ConfigError(f"--{negative[0].replace('_', '-')} must be 0 or more")
    if not 0 < rates.cpu_share <= 1:
        raise ConfigError(f"--rates.cpu-share must be above 0 and at most 1, got {rates.cpu_share}")
    pixels = work.slides * work.gigapixels
    per_cpu = 1 / (HOUR_S * rates.cpu_share)
    steps = [
        StepCost(
            step="tile-slides",
            amount=f"{work.slides} slides of {work.gigapixels:g} gigapixels",
            cpu_hours=pixels * rates.tile_cpu_s * per_cpu,
            gb=pixels * rates.tile_gb,
            count=work.slides,
        ),
        StepCost(
            step="prepare-mri",
            amount=f"{work.mri_patients} patients",
            cpu_hours=work.mri_patients * rates.patient_cpu_s * per_cpu,
            gb=work.mri_patients * rates.patient_gb,
            count=work.mri_patients,
        ),
        _on_gpu(
            "train-gan",
            f"{work.generators} generators of {work.kimg:g} kimg",
            work.generators * work.kimg,
            rates.kimg_gpu_s,
            work.generators * rates.generator_gb,
        ),
        _on_gpu(
            "synthesize",
            f"{work.synthetic_images} images",
            work.synthetic_images,
            rates.image_gpu_s,
            work.synthetic_images * rates.image_gb,
        ),
        _on_gpu("sweep", f"{work.trainings} trainings", work.trainings, rates.training_gpu_s, 0),
    ]
    chosen = [step for step in steps if step.count]
    if not chosen:
        raise ConfigError("no work: give --workload.slides, --workload.mri-patients, ...")
    return chosen


def _on_gpu(step: str, amount: str, count: float, seconds: float | None, gb: float) -> StepCost:
    """Cost of a step that needs a GPU, at some seconds for each of its units."""
    hours = 0.0 if seconds is None else count * seconds / HOUR_S
    return StepCost(
        step=step,
        amount=amount,
        count=count,
        gpu_hours=hours,
        gb=gb,
        is_counted=seconds is not None,
    )


def cost_figures(costs: Sequence[StepCost], prices: Prices) -> dict[str, Any]:
    """Sums over the steps, and their price."""
    total = {
        name: sum(getattr(cost, name) for cost in costs)
        for name in ("cpu_hours", "gpu_hours", "gb")
    }
    money = {
        "cpu": total["cpu_hours"] * prices.cpu_hour,
        "gpu": total["gpu_hours"] * prices.gpu_hour,
        "storage": total["gb"] * prices.gb_month * prices.months,
    }
    return {
        **total,
        "price": sum(money.values()),
        "prices": money,
        "currency": prices.currency,
        "steps": [asdict(cost) for cost in costs],
    }


def cost_text(costs: Sequence[StepCost], prices: Prices, *, cpus: int, gpus: int) -> str:
    """Table for a terminal.

    Args:
        costs: Steps of the study.
        prices: Prices of the cluster.
        cpus: CPUs of the cluster, for the time that passes; 0 to leave it out.
        gpus: GPUs of the cluster.
    """
    figures = cost_figures(costs, prices)
    rows: list[tuple[str, ...]] = [("step", "work", "CPU hours", "GPU hours", "GB")]
    rows += [(c.step, c.amount, f"{c.cpu_hours:.1f}", _hours(c), f"{c.gb:.1f}") for c in costs]
    rows += [
        ("total", "", *(f"{figures[n]:.1f}" for n in ("cpu_hours", "gpu_hours", "gb"))),
    ]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if k < 2 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    unknown = [cost.step for cost in costs if not cost.is_counted]
    if unknown:
        lines.append(
            f"not counted, as no rate was given: GPU hours of {', '.join(unknown)}; `idhray study "
            "--dry-run` on a machine with a GPU measures them"
        )
    if any(value for value in figures["prices"].values()):
        parts = ", ".join(f"{name} {value:.2f}" for name, value in figures["prices"].items())
        lines.append(f"price: {figures['price']:.2f} {prices.currency} ({parts})")
    for name, count in (("cpu", cpus), ("gpu", gpus)):
        if count and figures[f"{name}_hours"]:
            hours = figures[f"{name}_hours"] / count
            lines.append(f"on {count} {name.upper()}s: {hours:.1f} hours of {name.upper()} work")
    return "\n".join(lines)


def _hours(cost: StepCost) -> str:
    return f"{cost.gpu_hours:.1f}" if cost.is_counted else "?"
