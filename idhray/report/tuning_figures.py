"""Figure of a search: parallel coordinates of its trials, and the importance of each setting."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from idhray.report.figures import figure_bytes, figure_style

CHOICE, LOGARITHM = "choice", "log_uniform"
TrialPoint = tuple[Mapping[str, Any], float]  # values of a trial, and its AUC
DimensionRange = tuple[str, Sequence[Any]]  # kind, and ends or choices


def tuning_figure(
    trials: Sequence[TrialPoint],
    space: Mapping[str, DimensionRange],
    importance: Mapping[str, float],
    *,
    title: str,
) -> bytes:
    """Trials of a search as PNG.

    Args:
        trials: Values and AUC of each trial.
        space: Setting -> its range.
        importance: Setting -> its share of the variance; empty if it is unknown.
        title: Title.
    """
    with mpl.rc_context(figure_style()):
        figure = Figure(figsize=(10.4, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(3, 1))
        _draw_trials(left, trials, space)
        _draw_importance(right, importance)
        figure.suptitle(title)
        return figure_bytes(figure, "png")


def _draw_trials(
    axes: Axes, trials: Sequence[TrialPoint], space: Mapping[str, DimensionRange]
) -> None:
    areas = np.array([auc for _, auc in trials])
    low, high = float(areas.min()), float(areas.max())
    norm = mpl.colors.Normalize(low, high if high > low else low + 1)
    colors = mpl.colormaps["viridis"]
    for values, auc in sorted(trials, key=lambda trial: trial[1]):  # the best ones on top
        places = [_place(values[name], *space[name]) for name in space]
        axes.plot([*places, norm(auc)], color=colors(norm(auc)), linewidth=1.2, alpha=0.8)
    names = [*space, "AUC"]
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks([])
    axes.set_ylim(-0.08, 1.08)
    for place, (kind, ends) in enumerate([*space.values(), ("uniform", (low, high))]):
        axes.axvline(place, color="#9aa2ab", linewidth=0.8, zorder=0)
        marks = ends if kind == CHOICE else (ends[0], ends[-1])
        for mark in marks:
            height = _place(mark, kind, ends)
            text = f"{mark:.3g}" if isinstance(mark, int | float) else str(mark)
            axes.text(place + 0.03, height, text, fontsize=8, va="center")
    axes.set_title("Trials: each line is one, yellow the best", loc="left")


def _place(value: Any, kind: str, ends: Sequence[Any]) -> float:
    """Height of a value on its axis, 0..1."""
    if kind == CHOICE:
        return list(ends).index(value) / max(len(ends) - 1, 1)
    low, high, at = (np.log(x) if kind == LOGARITHM else x for x in (ends[0], ends[-1], value))
    return float((at - low) / (high - low)) if high > low else 0.5


def _draw_importance(axes: Axes, importance: Mapping[str, float]) -> None:
    axes.set_title("Importance", loc="left")
    if not importance:
        axes.text(0.5, 0.5, "fewer than five trials", ha="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    names = sorted(importance, key=lambda name: importance[name])
    axes.barh(names, [importance[name] for name in names], color="#0072B2")
    axes.set_xlabel("Share of the variance of AUC")
