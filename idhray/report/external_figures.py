"""Figures of an external cohort: calibration and decision curve, as SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.figure import Figure

from idhray.report.figures import PALETTE, STYLES, figure_bytes, figure_style


@dataclass(frozen=True, kw_only=True)
class CalibrationPoint:
    """Patients of similar probability."""

    expected: float
    """Mean probability."""
    observed: float
    """Share of mutants, with its interval."""
    low: float
    high: float


def calibration_figure(panels: Mapping[str, Sequence[CalibrationPoint]]) -> bytes:
    """Observed share of mutants by mean probability, one panel per classifier and arm."""
    with mpl.rc_context(figure_style()):
        figure = Figure(figsize=(4.2 * len(panels), 4.4), layout="constrained")
        grid = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (title, points) in zip(grid, panels.items(), strict=True):
            axes.plot([0, 1], [0, 1], color="#9aa2ab", linewidth=0.8)
            for point in points:
                axes.plot([point.expected] * 2, [point.low, point.high], color=PALETTE[1])
            axes.plot(
                [point.expected for point in points],
                [point.observed for point in points],
                "o",
                color=PALETTE[1],
            )
            axes.set(
                title=title,
                xlabel="Mean probability of IDH mutation",
                ylabel="Share of mutants (95% CI)",
                xlim=(-0.02, 1.02),
                ylim=(-0.02, 1.02),
                aspect="equal",
            )
        return figure_bytes(figure, "svg")


def decision_figure(
    thresholds: Sequence[float], curves: Mapping[str, Sequence[float]], treat_all: Sequence[float]
) -> bytes:
    """Net benefit by threshold of each score, and of calling all or none mutant.

    Args:
        thresholds: Thresholds, ascending.
        curves: Label -> net benefit at each threshold.
        treat_all: Net benefit of calling all mutant.
    """
    with mpl.rc_context(figure_style()):
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        axes = figure.subplots()
        for number, (label, values) in enumerate(curves.items()):
            axes.plot(
                thresholds,
                values,
                color=PALETTE[(number + 1) % len(PALETTE)],
                linestyle=STYLES[number % len(STYLES)],
                linewidth=1.6,
                label=label,
            )
        axes.plot(thresholds, treat_all, color="#9aa2ab", linewidth=1.2, label="all called mutant")
        axes.axhline(0, color=PALETTE[0], linewidth=0.8, label="none called mutant")
        highest = max([*treat_all, *(value for values in curves.values() for value in values), 0.1])
        axes.set(
            xlabel="Threshold probability",
            ylabel="Net benefit per patient",
            xlim=(0, 1),
            ylim=(-highest / 2, highest * 1.1),
        )
        axes.legend(loc="lower left")
        return figure_bytes(figure, "svg")
