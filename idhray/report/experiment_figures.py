"""Figures of an augmentation experiment, as SVG bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from idhray.report.figures import PALETTE, STYLES, figure_bytes, figure_style

GRAY, BAND = "#9aa2ab", "#dcebf5"
ROLE_COLORS = {"primary": "#0072B2", "control": "#D55E00", "secondary": "#000000"}


@dataclass(frozen=True, kw_only=True)
class ArmResult:
    """Area of one arm: mean, interval, and the areas of single trainings."""

    arm: str
    mean: float
    low: float
    high: float
    trainings: Sequence[float]
    primary: bool = False


@dataclass(frozen=True, kw_only=True)
class ArmDifference:
    """Difference in area between two arms with its interval; NaN ends where none exists."""

    label: str
    estimate: float
    low: float
    high: float
    role: str
    """primary, control or secondary."""


@dataclass(frozen=True, kw_only=True)
class CountResult:
    """Area of an arm with a number of added images."""

    count: int
    mean: float
    low: float
    high: float


def arms_figure(
    arms: Sequence[ArmResult], differences: Sequence[ArmDifference], margin: float
) -> bytes:
    """Areas of all arms, and their differences beside the margin of equivalence."""
    with mpl.rc_context(figure_style()):
        height = 1.2 + 0.34 * max(len(arms), len(differences))
        figure = Figure(figsize=(10.4, height), layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_arms(left, arms)
        _draw_differences(right, differences, margin)
        return figure_bytes(figure, "svg")


def _draw_arms(axes: Axes, arms: Sequence[ArmResult]) -> None:
    for row, arm in enumerate(arms):
        if arm.primary:
            axes.axhspan(row - 0.45, row + 0.45, color=BAND, zorder=0)
        spread = np.linspace(-0.18, 0.18, len(arm.trainings)) if len(arm.trainings) > 1 else [0.0]
        axes.plot(
            arm.trainings,
            row + np.asarray(spread),
            linestyle="none",
            marker="o",
            markersize=3,
            color="#D55E00",
            alpha=0.45,
            markeredgewidth=0,
        )
        axes.errorbar(
            arm.mean,
            row,
            xerr=[[_side(arm.mean - arm.low)], [_side(arm.high - arm.mean)]],
            color="#0072B2",
            marker="D",
            markersize=5,
            capsize=3,
            linewidth=1.4,
        )
    axes.axvline(0.5, color=GRAY, linewidth=0.8, linestyle="--")
    axes.set_xlim(right=1.02)
    _name_rows(axes, [arm.arm for arm in arms])
    axes.set(title="AUC of each arm", xlabel="AUC, mean over folds and repeats")


def _draw_differences(axes: Axes, differences: Sequence[ArmDifference], margin: float) -> None:
    axes.axvspan(-margin, margin, color=BAND, zorder=0)
    axes.axvline(0, color=GRAY, linewidth=0.8)
    for row, item in enumerate(differences):
        axes.errorbar(
            item.estimate,
            row,
            xerr=[[_side(item.estimate - item.low)], [_side(item.high - item.estimate)]],
            color=ROLE_COLORS.get(item.role, ROLE_COLORS["secondary"]),
            marker="s",
            markersize=4.5,
            capsize=3,
            linewidth=1.4,
        )
    _name_rows(axes, [item.label for item in differences])
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set(title="Differences", xlabel=f"Difference in AUC (shaded: within {margin:g})")


def _side(length: float) -> float:
    """Length of one side of an interval; 0 where there is none."""
    return max(length, 0.0) if np.isfinite(length) else 0.0


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), list(names))
    axes.set_ylim(len(names) - 0.5, -0.5)


def response_figure(
    kinds: Mapping[str, Sequence[CountResult]], baseline: CountResult | None
) -> bytes:
    """AUC against the number of added images: a line and a band for each kind of image.

    Args:
        kinds: Kind of the added images -> results by count, ascending.
        baseline: Result without added images, where every line starts.
    """
    with mpl.rc_context(figure_style()):
        figure = Figure(figsize=(7.6, 4.2), layout="constrained")
        axes = figure.subplots()
        if baseline is not None:
            axes.axhspan(baseline.low, baseline.high, color=BAND, zorder=0)
            axes.axhline(baseline.mean, color=GRAY, linewidth=1.2, label="real")
        largest = max((point.count for points in kinds.values() for point in points), default=1)
        for number, (kind, points) in enumerate(kinds.items()):
            shift = (number - (len(kinds) - 1) / 2) * 0.018 * largest  # intervals side by side
            _draw_response(axes, kind, points, baseline, number=number, shift=shift)
        axes.set(
            title="Response to the number of added images",
            xlabel="Images added to the training set",
            ylabel="AUC, mean over folds and repeats",
            xlim=(-0.04 * largest, 1.08 * largest),
        )
        counts = {0, *(point.count for points in kinds.values() for point in points)}
        axes.set_xticks(sorted(counts))
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return figure_bytes(figure, "svg")


def _draw_response(
    axes: Axes,
    kind: str,
    points: Sequence[CountResult],
    baseline: CountResult | None,
    *,
    number: int,
    shift: float,
) -> None:
    """Line from the baseline through the counts of one kind, with intervals and a band."""
    color, style = PALETTE[(number + 1) % len(PALETTE)], STYLES[number % len(STYLES)]
    start = [baseline] if baseline is not None else []
    places = [0.0] * len(start) + [point.count + shift for point in points]
    joined = [*start, *points]
    if len(points) > 1:
        axes.fill_between(
            places[len(start) :],
            [point.low for point in points],
            [point.high for point in points],
            color=color,
            alpha=0.10,
            linewidth=0,
        )
    axes.plot(places, [p.mean for p in joined], color=color, linestyle=style, linewidth=1.4)
    axes.errorbar(
        places[len(start) :],
        [point.mean for point in points],
        yerr=[
            [_side(point.mean - point.low) for point in points],
            [_side(point.high - point.mean) for point in points],
        ],
        color=color,
        linestyle=style,
        marker="os^Dv"[number % 5],
        markersize=5,
        capsize=3,
        linewidth=1.4,
        label=kind,
    )
