"""Registry of figures that have an interval: their columns, and the methods behind the interval.

A new figure is one entry of `FIGURES`; every rule of this file is then asked of it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from idhray.stats.audit.area_intervals import fitting_methods
from idhray.stats.audit.findings import (
    Check,
    Finding,
    ReportedRows,
    each,
    finding,
    rows_text,
    table_finding,
)
from idhray.stats.audit.intervals import in_order, lost_sign
from idhray.stats.audit.printed_number import PrintedNumber, shortly
from idhray.stats.audit.reported import ReportedRow
from idhray.stats.audit.share_intervals import (
    PATIENTS_OF_SHARE,
    fitting_share_methods,
    off_share_interval,
)

Methods = Callable[[ReportedRow], tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class FigureWithInterval:
    """A figure with an interval."""

    name: str
    """Column, and name in sentences."""
    low: str
    high: str
    text: Callable[[ReportedRow], str]
    """The figure with its interval, in words."""
    methods: Methods | None = None
    """Methods that may have made the interval of a row; none if it is another."""
    needs: tuple[str, ...] = ()
    """Columns that `methods` needs."""
    cause: Callable[[ReportedRow], str] = lambda _: ""
    """Probable cause if the interval does not hold its figure."""

    @property
    def columns(self) -> tuple[str, str, str]:
        """The figure and both ends."""
        return self.name, self.low, self.high

    @property
    def label(self) -> str:
        """`AUC interval`, `sensitivity interval`, `interval`."""
        name = "AUC" if self.name == "auc" else self.name
        return "interval" if self.name == "estimate" else f"{name} interval"


def _estimate_cause(row: ReportedRow) -> str:
    if sign := lost_sign(row):
        return sign
    assert row.low
    assert row.high
    return f"the interval is centered on {shortly(float(row.low.value + row.high.value) / 2)}"


def _share(name: str, methods: Methods, needs: tuple[str, ...]) -> FigureWithInterval:
    return FigureWithInterval(
        name=name,
        low=f"{name}_low",
        high=f"{name}_high",
        text=partial(_share_text, name),
        methods=methods,
        needs=needs,
    )


def _share_text(name: str, row: ReportedRow) -> str:
    return row.area_text if name == "auc" else row.interval_text(name)


ESTIMATE = FigureWithInterval(
    name="estimate",
    low="low",
    high="high",
    text=lambda row: row.estimate_text,
    cause=_estimate_cause,
)
AREA = _share("auc", fitting_methods, ("cases",))
SHARES_WITH_INTERVAL = tuple(
    _share(name, partial(fitting_share_methods, name), (*needs, "one_fold"))
    for name, needs in PATIENTS_OF_SHARE.items()
)
FIGURES = (*SHARES_WITH_INTERVAL, AREA, ESTIMATE)


def holds_rule(figure: FigureWithInterval) -> str:
    """The name of the rule for one figure."""
    name = "AUC" if figure.name == "auc" else figure.name
    return f"{figure.label} holds its {name}"


def outside(figure: FigureWithInterval, row: ReportedRow) -> Iterator[Finding]:
    """Intervals that exclude their own figure, or whose ends are exchanged."""
    value, low, high = (getattr(row, column) for column in figure.columns)
    if not (value and low and high) or in_order(value, low, high):
        return
    yield finding(
        row,
        holds_rule(figure),
        "impossible",
        printed=figure.text(row),
        reason=_order_text(figure, low, high),
        fits=figure.cause(row),
    )


def _order_text(figure: FigureWithInterval, low: PrintedNumber, high: PrintedNumber) -> str:
    if not low.may_be_below(high):
        return "the lower end is above the upper one"
    return f"the {'area' if figure.name == 'auc' else figure.name} lies outside"


def method_rule(figure: FigureWithInterval) -> str:
    """The name of the rule for one figure."""
    return f"{figure.label}s are of one method"


def mixed_methods(
    figure: FigureWithInterval, rows: ReportedRows, _: ReportedRows
) -> Iterator[Finding]:
    """One finding about a table in which no method fits all intervals that fit any."""
    assert figure.methods
    lines: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for row in rows:
        if names := figure.methods(row):
            lines[names].append(row.line)
    if not lines or set.intersection(*map(set, lines)):
        return
    texts = [
        f"{rows_text(of)} fit{'' if of[1:] else 's'} the {' or '.join(names)} method only"
        for names, of in lines.items()
    ]
    yield table_finding(
        method_rule(figure),
        "suspicious",
        printed=f"{len(rows)} {figure.label}s",
        reason=", ".join(texts),
        fits="two programs or settings, which should be named"
        + ("; exact binomial is MedCalc's default for AUCs" if figure is AREA else ""),
    )


def _checks(figure: FigureWithInterval) -> Iterator[Check]:
    yield Check(
        rule=holds_rule(figure),
        applies_to=(figure.name,),
        needs=(figure.low, figure.high),
        find=each(partial(outside, figure)),
    )
    if figure in SHARES_WITH_INTERVAL:
        yield Check(
            rule=f"{figure.label} follows from its count",
            applies_to=figure.columns,
            needs=figure.needs,
            find=each(partial(off_share_interval, figure.name)),
        )
    if figure.methods:
        yield Check(
            rule=method_rule(figure),
            applies_to=figure.columns,
            needs=figure.needs,
            find=partial(mixed_methods, figure),
        )


CHECKS = tuple(check for figure in FIGURES for check in _checks(figure))
