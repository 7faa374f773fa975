"""What a report says: plain data that a stage fills in and `html.py` lays out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from idhray.errors import ConfigError

ANSWERS = ("helps", "hurts", "this cohort cannot tell")
MAX_REASONS = 40
"""Inputs listed by name under a step; the ledger holds all of them."""
_SIGNATURES = {b"\x89PNG": "image/png", b"<?xml": "image/svg+xml", b"<svg": "image/svg+xml"}


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure of the report."""

    title: str
    data: bytes
    """PNG or SVG, as `figures.py` makes it."""
    alt: str
    """What the picture shows, for those who cannot see it."""
    caption: str = ""

    def __post_init__(self) -> None:
        if not self.data.startswith(tuple(_SIGNATURES)):
            raise ConfigError(f"picture {self.title!r}: neither PNG nor SVG")

    @property
    def mime(self) -> str:
        """The media type, by the first bytes."""
        return next(kind for start, kind in _SIGNATURES.items() if self.data.startswith(start))


@dataclass(frozen=True, kw_only=True)
class ReportTable:
    """A table whose cells are text, as `stats.print_tables` makes it."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    notes: Sequence[str] = ()
    """Footnotes: what the marks in the cells mean."""
    grouped: bool = False
    """The first column is a heading over the rows that share it (Validation, Test)."""
    highlighted: Sequence[int] = ()
    """Rows set in bold, counted from 0."""

    def groups(self) -> list[tuple[str, list[tuple[bool, list[str]]]]]:
        """Headings, and under each its rows (highlighted or not, cells)."""
        marked = [(number in self.highlighted, list(row)) for number, row in enumerate(self.rows)]
        if not self.grouped:
            return [("", marked)]
        return [
            (heading, [(bold, cells[1:]) for bold, cells in rows])
            for heading, rows in groupby(marked, key=lambda row: row[1][0])
        ]


@dataclass(frozen=True, kw_only=True)
class KeyFigure:
    """One number of the opening: `Difference in AUC`, `+0.007`, `95% CI ...`."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class SplitCount:
    """Patients of one split by class."""

    split: str
    mutant: int
    wildtype: int
    unknown: int = 0
    """Without a known IDH status: in no figure."""


@dataclass(frozen=True, kw_only=True)
class Flow:
    """What became of the inputs of one step; see `flow_of`."""

    step: str
    done: int
    skipped: int
    failed: int
    reasons: Sequence[tuple[str, str, str]] = ()
    """(input, skipped or failed, why) of the first `MAX_REASONS` that were not done."""

    @property
    def unlisted(self) -> int:
        """Inputs not done whose reason is only in the ledger."""
        return self.skipped + self.failed - len(self.reasons)


def flow_of(step: str, ledger: Iterable[Mapping[str, Any]]) -> Flow:
    """Counts and reasons from the rows of a LEDGER (`input`, `status`, `error`).

    Raises:
        ConfigError: a status is none of done, skipped, failed.
    """
    rows = sorted(ledger, key=lambda row: (str(row["status"]), str(row["input"])))
    counts = {"done": 0, "skipped": 0, "failed": 0}
    for row in rows:
        if row["status"] not in counts:
            raise ConfigError(f"ledger of {step}: unknown status {row['status']!r}")
        counts[row["status"]] += 1
    reasons = [
        (str(row["input"]), str(row["status"]), str(row["error"] or "no reason given"))
        for row in rows
        if row["status"] != "done"
    ]
    return Flow(step=step, **counts, reasons=reasons[:MAX_REASONS])


@dataclass(frozen=True, kw_only=True)
class GeneratorSummary:
    """What one GAN saw and made."""

    name: str
    training_patients: int
    training_images: int
    kimg: float
    """Thousand real images shown to it."""
    figures: Mapping[str, str]
    """Further numbers by name: synthetic images made, FID, ..."""


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything that a report shows; nothing else is looked up."""

    title: str
    question: str
    """The study's question in one sentence."""
    answer: Literal["helps", "hurts", "this cohort cannot tell"]
    verdict: str
    """The answer with its numbers, in sentences (`stats.verdict.Verdict.sentence`)."""
    demonstration: bool
    """Made-up data: a banner says so on top."""
    key_figures: Sequence[KeyFigure]
    cohort: Sequence[SplitCount]
    flows: Sequence[Flow]
    """One per step that reads files: tiling, patches, ..."""
    tables: Sequence[ReportTable]
    conventions: Sequence[str]
    """Threshold, intervals, how the count was chosen (`stats.LiuTables.notes`)."""
    figures: Sequence[Picture]
    generators: Sequence[GeneratorSummary]
    generators_note: str
    """Whom the generators saw: that no validation or test patient was among them, if checked."""
    sheets: Sequence[Picture]
    """Real beside synthetic images."""
    settings: Mapping[str, Mapping[str, str]]
    """Stage -> setting -> value."""
    provenance: Mapping[str, str]
    """Versions, commit, seeds, hashes."""
    limits: Sequence[str]
    """What this study cannot show, in plain words."""

    def __post_init__(self) -> None:
        if self.answer not in ANSWERS:
            raise ConfigError(f"answer must be one of {', '.join(ANSWERS)}; got {self.answer!r}")
