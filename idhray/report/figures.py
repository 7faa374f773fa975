"""Figures of the report as PNG or SVG bytes: the same input gives the same bytes."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import ArrayLike, NDArray

ImageList = Sequence[NDArray[np.uint8]]  # each (height, width[, 3])

# Okabe and Ito 2008: color-blind readers can distinguish the colors, everyone the line styles.
PALETTE = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
STYLES = ("-", "--", "-.", ":")
GAP_PX = 4
CLASS_COLORS = {"mutant": "#0072B2", "wildtype": "#D55E00"}
_STYLE: Any = {  # matplotlib types each key separately
    "svg.hashsalt": "idhray",  # otherwise the ids inside an SVG are random
    "font.family": "DejaVu Sans",  # part of matplotlib, so glyphs are the same on every machine
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titleweight": "bold",
    "axes.titlesize": 10,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


class Drawing(bytes):
    """A figure as SVG, which also carries the same figure as PNG."""

    png: bytes


def figure_style() -> Any:
    """Matplotlib settings of all figures, for `matplotlib.rc_context`."""
    return _STYLE


@dataclass(frozen=True, kw_only=True)
class RocCurve:
    """One curve of a ROC panel."""

    label: str
    """Label with the area and its interval, rounded as in the tables."""
    fpr: ArrayLike
    tpr: ArrayLike


@dataclass(frozen=True, kw_only=True)
class CountPoint:
    """Result at one synthetic count: mean, interval, and every repeat."""

    n_synthetic: int
    mean: float
    low: float
    high: float
    repeats: Sequence[float]
    chosen: bool = False


def roc_figure(panels: Mapping[str, Sequence[RocCurve]]) -> bytes:
    """ROC curves side by side, one panel per set of patients, as SVG."""
    with mpl.rc_context(figure_style()):
        figure = Figure(figsize=(4.6 * len(panels), 4.6), layout="constrained")
        for axes, (title, curves) in zip(_row(figure, len(panels)), panels.items(), strict=True):
            axes.plot([0, 1], [0, 1], color="#9aa2ab", linewidth=0.8)
            for number, curve in enumerate(curves):
                axes.plot(
                    np.asarray(curve.fpr),
                    np.asarray(curve.tpr),
                    color=PALETTE[number % len(PALETTE)],
                    linestyle=STYLES[number % len(STYLES)],
                    linewidth=1.6,
                    label=curve.label,
                )
            axes.set(
                title=title,
                xlabel="1 \u2212 specificity",
                ylabel="Sensitivity",
                xlim=(-0.01, 1.01),
                ylim=(-0.01, 1.01),
                aspect="equal",
            )
            axes.legend(loc="lower right", title="Area (95% CI)", title_fontsize=8)
        return figure_bytes(figure, "svg")


def count_figure(panels: Mapping[str, Mapping[str, Sequence[CountPoint]]]) -> bytes:
    """Measures by synthetic count, as SVG: bars are intervals, dots are single trainings.

    Args:
        panels: Row ("AUC", "Accuracy") -> set of patients -> points.
    """
    with mpl.rc_context(figure_style()):
        columns = max(len(row) for row in panels.values())
        size = (4.6 * columns, 2.7 * len(panels))
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(len(panels), columns, squeeze=False, sharey="row", sharex=True)
        for row, (measure, sets) in zip(grid, panels.items(), strict=True):
            for axes, (title, points) in zip(row, sets.items(), strict=False):
                _draw_counts(axes, points)
                axes.set_title(f"{measure}, {title.lower()}")
            row[0].set_ylabel(measure)
        for axes in grid[-1]:
            axes.set_xlabel("Synthetic images added")
        return figure_bytes(figure, "svg")


def _draw_counts(axes: Axes, points: Sequence[CountPoint]) -> None:
    """Draw points at equal steps, because counts may lie far apart and must not hide each other."""
    for position, point in enumerate(points):
        if point.chosen:
            axes.axvspan(position - 0.4, position + 0.4, color="#dcebf5", zorder=0)
        spread = np.linspace(-0.12, 0.12, len(point.repeats)) if len(point.repeats) > 1 else [0.0]
        axes.plot(
            position + np.asarray(spread) - 0.18,
            point.repeats,
            linestyle="none",
            marker="o",
            markersize=4.5,
            color="#D55E00",
            alpha=0.75,
            markeredgewidth=0,
        )
        axes.errorbar(
            position + 0.1,
            point.mean,
            yerr=[[point.mean - point.low], [point.high - point.mean]],
            color="#0072B2",
            marker="D",
            markersize=5,
            capsize=3,
            linewidth=1.4,
        )
    lowest = min((min(point.low, *point.repeats) for point in points), default=0.0)
    axes.axhline(0.5, color="#9aa2ab", linewidth=0.8, linestyle="--")
    axes.set_ylim(bottom=min(axes.get_ylim()[0], lowest - 0.05, 0.45), top=1.03)
    axes.set_xticks(range(len(points)), [f"{point.n_synthetic:,}" for point in points])


def age_figure(
    ages: Mapping[str, ArrayLike],
    gaussians: Mapping[str, tuple[float, float]],
    roots: Sequence[float],
) -> bytes:
    """Gaussian of each class over age, patients below it, and crossings of the curves, as SVG.

    Args:
        ages: "mutant" and "wildtype" -> ages of training patients; NaN is not drawn.
        gaussians: "mutant" and "wildtype" -> (mean, standard deviation).
        roots: Ages at which both classes are equally likely; ages outside the axis are not drawn.
    """
    with mpl.rc_context(figure_style()):
        figure = Figure(figsize=(6.4, 3.4), layout="constrained")
        axes = figure.subplots()
        years = np.linspace(0, 100, 401)
        highest = 0.0
        for name, (mean, sd) in gaussians.items():
            density = np.exp(-0.5 * ((years - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))
            highest = max(highest, float(density.max()))
            axes.plot(
                years,
                density,
                color=CLASS_COLORS[name],
                linestyle="-" if name == "mutant" else "--",
                label=f"{name}: {mean:.1f} \u00b1 {sd:.1f} years",
            )
        for line, (name, values) in enumerate(ages.items()):
            finite = np.asarray(values, dtype=float)
            finite = finite[np.isfinite(finite)]
            heights = np.full(len(finite), -(0.05 + 0.06 * line) * highest)
            axes.plot(finite, heights, "|", color=CLASS_COLORS[name], markersize=8)
        for root in (age for age in roots if years[0] <= age <= years[-1]):
            axes.axvline(root, color="#4d5661", linewidth=1, linestyle=":")
            axes.text(root + 0.8, highest * 1.1, f"{root:.1f} years", color="#4d5661", va="top")
        axes.set(xlabel="Age (years)", xlim=(0, 100), ylim=(None, highest * 1.12), yticks=[])
        axes.set_ylabel("Density (patients below)")
        axes.legend(loc="upper left")
        return figure_bytes(figure, "svg")


def patch_sheet(classes: Mapping[str, tuple[ImageList, ImageList]]) -> bytes:
    """Real images on the left, synthetic ones on the right, one row per class, as PNG.

    Args:
        classes: Class -> (real, synthetic) images, all of one size.
    """
    columns = 4
    with mpl.rc_context(figure_style()):
        lines = max(-(-len(images) // columns) for pair in classes.values() for images in pair)
        size = (2.4 * columns, (1.2 * max(lines, 1) + 0.35) * len(classes))
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(wspace=0.05))
        grid = figure.subplots(len(classes), 2, squeeze=False)
        for row, (name, pair) in zip(grid, classes.items(), strict=True):
            for axes, origin, images in zip(row, ("real", "synthetic"), pair, strict=True):
                axes.set_title(f"{name}, {origin}")
                axes.set_axis_off()
                if images:
                    axes.imshow(_mosaic(images, columns), interpolation="nearest")
                else:
                    axes.text(0.5, 0.5, "none", ha="center", va="center")
        return figure_bytes(figure, "png")


def pair_sheet(kinds: Mapping[str, ImageList]) -> bytes:
    """Pairs of channels in gray, as PNG: CE-T1w above, FLAIR below, one block for each kind.

    Args:
        kinds: Name of the kind -> (height, width, 3) images of CE-T1w, FLAIR and null, all of one
            size.
    """
    columns = 6
    with mpl.rc_context(figure_style()):
        lines = [max(-(-len(images) // columns), 1) for images in kinds.values()]
        size = (1.3 * columns, sum(2.6 * count + 0.35 for count in lines))
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(len(kinds), 1, squeeze=False, height_ratios=lines)
        for axes, (name, images) in zip(grid[:, 0], kinds.items(), strict=True):
            axes.set_title(name)
            axes.set_axis_off()
            if images:
                pairs = [np.vstack([image[..., 0], image[..., 1]]) for image in images]
                axes.imshow(_mosaic(pairs, columns), interpolation="nearest")
            else:
                axes.text(0.5, 0.5, "none", ha="center", va="center")
        return figure_bytes(figure, "png")


def _mosaic(images: ImageList, columns: int) -> NDArray[np.uint8]:
    """Images in lines of `columns` on white, (height, width, 3) uint8."""
    height, width = images[0].shape[:2]
    lines = -(-len(images) // columns)
    shape = (lines * (height + GAP_PX) - GAP_PX, columns * (width + GAP_PX) - GAP_PX, 3)
    sheet = np.full(shape, 255, dtype=np.uint8)
    for number, image in enumerate(images):
        y, x = (number // columns) * (height + GAP_PX), (number % columns) * (width + GAP_PX)
        sheet[y : y + height, x : x + width] = image if image.ndim == 3 else image[..., None]
    return sheet


def _row(figure: Figure, columns: int) -> Sequence[Axes]:
    axes: Sequence[Axes] = figure.subplots(1, columns, squeeze=False)[0]
    return axes


def figure_bytes(figure: Figure, file_format: Literal["svg", "png"]) -> bytes:
    """PNG of a figure, or its SVG, a `Drawing` that carries the PNG, too."""
    if file_format == "png":
        return _saved(figure, "png")
    drawing = Drawing(_saved(figure, "svg"))
    drawing.png = _saved(figure, "png")
    return drawing


def _saved(figure: Figure, file_format: Literal["svg", "png"]) -> bytes:
    buffer = io.BytesIO()
    # Left out, because the time and the version of matplotlib would change the bytes.
    metadata = {"Software": None} if file_format == "png" else {"Date": None, "Creator": None}
    figure.savefig(buffer, format=file_format, dpi=150, metadata=metadata)
    return buffer.getvalue()
