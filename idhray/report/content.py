"""Content of a report: plain data that a stage fills in and `html.py` lays out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from idhray.errors import ConfigError

ANSWERS = (
    "helps",
    "hurts",
    "no relevant difference",
    "cannot tell",
    "no comparison",
    "this cohort cannot tell",
)
MAX_REASONS = 40
"""Inputs listed by name under a step, at most; the ledger holds all of them."""
_SIGNATURES = {b"\x89PNG": "image/png", b"<?xml": "image/svg+xml", b"<svg": "image/svg+xml"}


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure of the report."""

    title: str
    data: bytes
    """PNG or SVG, from `figures.py`."""
    alt: str
    """Description for readers who cannot see the picture."""
    caption: str = ""

    def __post_init__(self) -> None:
        if not self.data.startswith(tuple(_SIGNATURES)):
            raise ConfigError(
                f"picture {self.title!r}: neither PNG nor SVG; encode it as one of both"
            )

    @property
    def mime(self) -> str:
        """Media type, recognized by the first bytes."""
        return next(kind for start, kind in _SIGNATURES.items() if self.data.startswith(start))


@dataclass(frozen=True, kw_only=True)
class ReportTable:
    """Table whose cells are text, printed from the statistics."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    notes: Sequence[str] = ()
    """Footnotes that explain the marks in the cells."""
    grouped: bool = False
    """The first column is a heading over the rows that share it (Validation, Test)."""

    def groups(self) -> list[tuple[str, list[list[str]]]]:
        """Headings, each with its rows of cells."""
        rows = [list(row) for row in self.rows]
        if not self.grouped:
            return [("", rows)]
        return [
            (heading, [cells[1:] for cells in group])
            for heading, group in groupby(rows, key=lambda cells: cells[0])
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
    """Patients without a known IDH status, who are in no figure."""


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Fates of the inputs of one step; see `flow_of`."""

    step: str
    done: int
    skipped: int
    failed: int
    reasons: Sequence[tuple[str, str, str]] = ()
    """(input, skipped or failed, reason) of the first `MAX_REASONS` inputs not done."""
    remarks: Sequence[tuple[str, str]] = ()
    """(input, remark) of the first `MAX_REASONS` inputs that are done with a remark."""

    @property
    def unlisted(self) -> int:
        """Number of inputs not done whose reason is only in the ledger."""
        return self.skipped + self.failed - len(self.reasons)


def flow_of(step: str, ledger: Iterable[Mapping[str, Any]]) -> Flow:
    """Counts, reasons and remarks from the rows of a LEDGER (`input`, `status`, `error`).

    Raises:
        ConfigError: A status is not done, skipped or failed.
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
    remarks = [
        (str(row["input"]), str(row["error"]))
        for row in rows
        if row["status"] == "done" and row["error"]
    ]
    return Flow(step=step, **counts, reasons=reasons[:MAX_REASONS], remarks=remarks[:MAX_REASONS])


@dataclass(frozen=True, kw_only=True)
class GeneratorSummary:
    """Training data and numbers of one GAN."""

    name: str
    training_patients: int
    training_images: int
    kimg: float
    """Real images shown to it, in thousands."""
    figures: Mapping[str, str]
    """Further numbers by name, such as synthetic images made or FID."""


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything that a report shows; the template reads nothing else."""

    title: str
    question: str
    """Question of the study in one sentence."""
    answer: Literal["helps", "hurts", "this cohort cannot tell"]
    verdict: str
    """Answer with its numbers, in sentences (the sentence of the verdict of `stats/papers`)."""
    demonstration: bool
    """Made-up data, announced by a banner on top."""
    banner_note: str = ""
    """Further sentence of the banner, such as that the readers are programs."""
    lead: Picture | None = None
    """First figure, beside the answer."""
    key_figures: Sequence[KeyFigure]
    cohort: Sequence[SplitCount]
    flows: Sequence[Flow]
    """One flow per step that reads files, such as tiling or patches."""
    tables: Sequence[ReportTable]
    conventions: Sequence[str]
    """Threshold, intervals, choice of the synthetic count (the notes of `stats/papers`)."""
    figures: Sequence[Picture]
    generators: Sequence[GeneratorSummary]
    generators_note: str
    """Statement on the generators' training patients, such as that none is a test patient."""
    sheets: Sequence[Picture]
    """Real images beside synthetic ones."""
    settings: Mapping[str, Mapping[str, str]]
    """Stage -> setting -> value."""
    provenance: Mapping[str, str]
    """Versions, commit, seeds, hashes."""
    limits: Sequence[str]
    """Limits of the study, in plain words."""
    appendix: str = ""
    """Page with a picture of every input, beside the report; empty without one."""

    def __post_init__(self) -> None:
        if self.answer not in ANSWERS:
            raise ConfigError(f"answer must be one of {', '.join(ANSWERS)}; got {self.answer!r}")
