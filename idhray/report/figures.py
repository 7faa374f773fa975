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

Format = Literal["svg", "png"]
Images = Sequence[NDArray[np.uint8]]  # each (height, width[, 3])

# Okabe and Ito 2008: told apart by color-blind readers; the line styles by everyone in print.
PALETTE = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
STYLES = ("-", "--", "-.", ":")
CLASS_COLORS = {"mutant": "#0072B2", "wildtype": "#D55E00"}
_STYLE: Any = {  # matplotlib types the keys one by one
    "svg.hashsalt": "idhray",  # otherwise the ids inside an SVG are random
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same glyphs on every machine
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titleweight": "bold",
    "axes.titlesize": 10,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


@dataclass(frozen=True, kw_only=True)
class RocCurve:
    """One curve of a ROC panel."""

    label: str
    """With the area and its interval, rounded as in the tables."""
    fpr: ArrayLike
    tpr: ArrayLike


@dataclass(frozen=True, kw_only=True)
class CountPoint:
    """A figure at one synthetic count: mean, interval, and every repeat."""

    n_synthetic: int
    mean: float
    low: float
    high: float
    repeats: Sequence[float]
    chosen: bool = False


def roc_figure(panels: Mapping[str, Sequence[RocCurve]], kind: Format = "svg") -> bytes:
    """ROC curves side by side, a panel per set of patients."""
    with mpl.rc_context(_STYLE):
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
        return _bytes(figure, kind)


def count_figure(
    panels: Mapping[str, Mapping[str, Sequence[CountPoint]]], kind: Format = "svg"
) -> bytes:
    """A figure of merit against the synthetic count: bars are intervals, dots single trainings.

    Args:
        panels: Row ("AUC", "Accuracy") -> set of patients -> points.
    """
    with mpl.rc_context(_STYLE):
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
        return _bytes(figure, kind)


def _draw_counts(axes: Axes, points: Sequence[CountPoint]) -> None:
    """Points at equal steps: counts may lie far apart, and none may hide another."""
    for place, point in enumerate(points):
        if point.chosen:
            axes.axvspan(place - 0.4, place + 0.4, color="#dcebf5", zorder=0)
        spread = np.linspace(-0.12, 0.12, len(point.repeats)) if len(point.repeats) > 1 else [0.0]
        axes.plot(
            place + np.asarray(spread) - 0.18,
            point.repeats,
            linestyle="none",
            marker="o",
            markersize=4.5,
            color="#D55E00",
            alpha=0.75,
            markeredgewidth=0,
        )
        axes.errorbar(
            place + 0.1,
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
    kind: Format = "svg",
) -> bytes:
    """The Gaussian of each class over age, the patients below it, and where they cross.

    Args:
        ages: "mutant" and "wildtype" -> ages of training patients; NaN is not drawn.
        gaussians: "mutant" and "wildtype" -> (mean, standard deviation).
        roots: Ages at which both classes are equally likely; those out of sight are not drawn.
    """
    with mpl.rc_context(_STYLE):
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
        for row, (name, values) in enumerate(ages.items()):
            known = np.asarray(values, dtype=float)
            known = known[np.isfinite(known)]
            place = np.full(len(known), -(0.05 + 0.06 * row) * highest)
            axes.plot(known, place, "|", color=CLASS_COLORS[name], markersize=8)
        for root in (one for one in roots if years[0] <= one <= years[-1]):
            axes.axvline(root, color="#4d5661", linewidth=1, linestyle=":")
            axes.text(root + 0.8, highest * 1.1, f"{root:.1f} years", color="#4d5661", va="top")
        axes.set(xlabel="Age (years)", xlim=(0, 100), ylim=(None, highest * 1.12), yticks=[])
        axes.set_ylabel("Density (patients below)")
        axes.legend(loc="upper left")
        return _bytes(figure, kind)


def patch_sheet(
    classes: Mapping[str, tuple[Images, Images]], *, columns: int = 4, kind: Format = "png"
) -> bytes:
    """Real images on the left, synthetic on the right, a row per class.

    Args:
        classes: Class -> (real, synthetic) images, all of one size.
        columns: Images in a line of a mosaic.
    """
    with mpl.rc_context(_STYLE):
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
        return _bytes(figure, kind)


def pair_sheet(kinds: Mapping[str, Images], *, columns: int = 6, kind: Format = "png") -> bytes:
    """Pairs of channels in gray: CE-T1w above, FLAIR below, a block of lines for each kind.

    Args:
        kinds: What they are -> (height, width, 3) images: CE-T1w, FLAIR, null; all of one size.
        columns: Pairs in a line.
    """
    with mpl.rc_context(_STYLE):
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
        return _bytes(figure, kind)


def _mosaic(images: Images, columns: int, gap_px: int = 4) -> NDArray[np.uint8]:
    """Images in lines of `columns` on white, (height, width, 3) uint8."""
    height, width = images[0].shape[:2]
    lines = -(-len(images) // columns)
    shape = (lines * (height + gap_px) - gap_px, columns * (width + gap_px) - gap_px, 3)
    sheet = np.full(shape, 255, dtype=np.uint8)
    for number, image in enumerate(images):
        y, x = (number // columns) * (height + gap_px), (number % columns) * (width + gap_px)
        sheet[y : y + height, x : x + width] = image if image.ndim == 3 else image[..., None]
    return sheet


def _row(figure: Figure, columns: int) -> Sequence[Axes]:
    axes: Sequence[Axes] = figure.subplots(1, columns, squeeze=False)[0]
    return axes


def _bytes(figure: Figure, kind: Format) -> bytes:
    buffer = io.BytesIO()
    # Without these, the files would name the hour and the machine's matplotlib.
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
    return buffer.getvalue()
