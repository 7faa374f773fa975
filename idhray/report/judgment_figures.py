"""Figures by which a clinician judges: calibration, decisions, strata, flow of patients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from idhray.report.figures import PALETTE, STYLES, figure_bytes, figure_style

GRAY = "#9aa2ab"
LOWEST_BENEFIT = -0.1


@dataclass(frozen=True, kw_only=True)
class JudgedArm:
    """Probabilities of one arm on the test patients, judged in three ways."""

    arm: str
    smooth: NDArray[np.float64] | None
    """(points, 2): probability, smoothed share of mutants; None if too few patients."""
    groups: Sequence[tuple[float, float, float, float]]
    """(mean probability, share of mutants, low, high) of patients of similar probability."""
    benefit: Sequence[tuple[float, float]]
    """(threshold, net benefit)."""
    recall: ArrayLike
    precision: ArrayLike
    """Precision at each recall, ascending."""


@dataclass(frozen=True, kw_only=True)
class StratumRow:
    """Area within one stratum; NaN where too few patients allow none."""

    label: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class FlowBox:
    """One step of the flow of patients or slides."""

    text: str
    left_out: str = ""
    """Inputs that leave after this step, with reasons; may be empty."""


def probabilities_figure(
    arms: Sequence[JudgedArm], treat_all: Sequence[tuple[float, float]], share: float
) -> bytes:
    """Calibration, decision curve and precision-recall curve side by side, as SVG.

    Args:
        arms: Results to compare.
        treat_all: (threshold, net benefit) of calling every patient mutant.
        share: Share of mutant patients, the precision of calling every patient mutant.
    """
    with mpl.rc_context(figure_style()):
        figure = Figure(figsize=(11.4, 4.0), layout="constrained")
        calibration, decision, recall = figure.subplots(1, 3)
        calibration.plot([0, 1], [0, 1], color=GRAY, linewidth=0.8)
        decision.axhline(0, color=GRAY, linewidth=0.8)
        decision.plot(*np.transpose(treat_all), color=GRAY, linestyle=":", label="call all mutant")
        recall.axhline(share, color=GRAY, linewidth=0.8)
        for number, arm in enumerate(arms):
            style: dict[str, Any] = {
                "color": PALETTE[number % len(PALETTE)],
                "linestyle": STYLES[number % len(STYLES)],
            }
            _draw_calibration(calibration, arm, style)
            decision.plot(*np.transpose(arm.benefit), label=arm.arm, linewidth=1.5, **style)
            recall.step(arm.recall, arm.precision, where="post", linewidth=1.5, **style)
        square: dict[str, Any] = {"xlim": (-0.02, 1.02), "ylim": (-0.02, 1.02)}
        calibration.set(title="Calibration", xlabel="Probability", ylabel="Share mutant", **square)
        recall.set(title="Precision and recall", xlabel="Recall (sensitivity)", **square)
        recall.set_ylabel("Precision (positive predictive value)")
        decision.set(title="Decision curve", xlabel="Threshold", ylabel="Net benefit")
        decision.set_ylim(bottom=LOWEST_BENEFIT)
        decision.legend(loc="upper right")
        return figure_bytes(figure, "svg")


def _draw_calibration(axes: Axes, arm: JudgedArm, style: Mapping[str, Any]) -> None:
    if arm.smooth is not None:
        axes.plot(arm.smooth[:, 0], arm.smooth[:, 1], linewidth=1.5, **style)
    if arm.groups:
        expected, observed, low, high = np.transpose(arm.groups)
        sides = np.maximum([observed - low, high - observed], 0)
        axes.errorbar(
            expected,
            observed,
            yerr=sides,
            linestyle="none",
            marker="o",
            markersize=4,
            linewidth=0.8,
            color=style["color"],
        )


def forest_figure(
    groups: Mapping[str, Sequence[StratumRow]], overall: Mapping[str, float], xlabel: str
) -> bytes:
    """Areas within strata: one row for each stratum, one mark for each predictor, as SVG.

    Args:
        groups: Predictor -> its strata, in the same order for all.
        overall: Predictor -> its area over all patients, a vertical line.
        xlabel: Text below the axis.
    """
    labels = [row.label for row in next(iter(groups.values()))]
    with mpl.rc_context(figure_style()):
        figure = Figure(figsize=(7.2, 1.3 + 0.36 * len(labels)), layout="constrained")
        axes = figure.subplots()
        for number, (predictor, rows) in enumerate(groups.items()):
            color = PALETTE[number % len(PALETTE)]
            places = np.arange(len(rows)) + (number - (len(groups) - 1) / 2) * 0.22
            mean, low, high = np.transpose([(row.mean, row.low, row.high) for row in rows])
            sides = np.nan_to_num(np.maximum([mean - low, high - mean], 0))
            axes.errorbar(
                mean,
                places,
                xerr=sides,
                linestyle="none",
                marker="so^D"[number % 4],
                markersize=4.5,
                capsize=2.5,
                color=color,
                label=predictor,
            )
            if predictor in overall:
                axes.axvline(overall[predictor], color=color, linewidth=0.8, linestyle=":")
        axes.axvline(0.5, color=GRAY, linewidth=0.8, linestyle="--")
        axes.set_yticks(range(len(labels)), labels)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set(xlim=(-0.02, 1.02), xlabel=xlabel)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return figure_bytes(figure, "svg")


def flow_figure(boxes: Sequence[FlowBox]) -> bytes:
    """Flow of patients and inputs (STARD 2015, figure 1): steps down, what is left out beside."""
    with mpl.rc_context(figure_style()):
        figure = Figure(figsize=(7.6, 0.35 + 0.95 * len(boxes)), layout="constrained")
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set(xlim=(0, 10), ylim=(len(boxes) - 0.3, -0.6))
        frame: dict[str, Any] = {
            "boxstyle": "round,pad=0.45",
            "facecolor": "#f4f6f8",
            "edgecolor": "#4d5661",
        }
        pale: dict[str, Any] = {
            "boxstyle": "round,pad=0.4",
            "facecolor": "white",
            "edgecolor": GRAY,
        }
        for row, box in enumerate(boxes):
            axes.text(2.6, row, _shielded(box.text), ha="center", va="center", bbox=frame)
            if row:
                axes.annotate(
                    "",
                    (2.6, row - 0.27),
                    (2.6, row - 0.73),
                    arrowprops={"arrowstyle": "->", "color": "#4d5661"},
                )
            if box.left_out:
                text = _shielded(box.left_out)
                axes.text(6.0, row, text, ha="left", va="center", fontsize=8, bbox=pale)
                axes.plot([4.9, 5.9], [row, row], color=GRAY, linewidth=0.8)
        return figure_bytes(figure, "svg")


def _shielded(text: str) -> str:
    """Text whose dollar signs start no formula."""
    return text.replace("$", r"\$")


def history_figure(
    fidelity: Mapping[str, Sequence[tuple[float, float]]],
    losses: Mapping[str, Sequence[tuple[float, float]]],
    floors: Mapping[str, Sequence[tuple[float, float, float]]],
) -> bytes:
    """Fidelity and losses of GANs over their training, as SVG.

    Args:
        fidelity: Generator -> (kimg, KID); may be empty.
        losses: Generator and loss -> (kimg, loss).
        floors: Generator -> (kimg, smallest, largest KID between real images of different
            patients over the draws); may be empty.
    """
    panels = [("Fidelity", "KID", fidelity), ("Losses", "Loss", losses)]
    panels = [panel for panel in panels if any(panel[2].values())]
    with mpl.rc_context(figure_style()):
        figure = Figure(figsize=(5.6 * len(panels), 3.4), layout="constrained")
        for axes, (title, ylabel, lines) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            for number, (name, points) in enumerate(lines.items()):
                color, style = PALETTE[number % len(PALETTE)], STYLES[number % len(STYLES)]
                x, y = np.transpose(points)
                axes.plot(x, y, color=color, linestyle=style, label=name, marker=".")
                if title == "Fidelity" and floors.get(name):
                    places, low, high = np.transpose(floors[name])
                    label = f"real against real, {name}"
                    band: dict[str, Any] = {"alpha": 0.22, "linewidth": 0.8, "linestyle": style}
                    axes.fill_between(places, low, high, color=color, label=label, **band)
            axes.set(title=title, ylabel=ylabel, xlabel="Real images shown, thousands (kimg)")
            axes.legend(loc="best", fontsize=7)
        return figure_bytes(figure, "svg")
