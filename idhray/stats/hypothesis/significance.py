"""The result of a significance test: its name, its figures, and notes on them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Significance:
    """The result of one test of significance."""

    method: str
    """The test with its convention: `Pearson chi-square without continuity correction`."""
    p: float
    """Two-sided; NaN if it does not exist, with the reason in `notes`."""
    statistic: float = float("nan")
    """NaN if the test has none (Fisher's exact test of a larger table)."""
    df: int | None = None
    """Degrees of freedom, if the reference distribution has them."""
    notes: tuple[str, ...] = ()
    """Warnings in sentences: `3 of 6 expected counts are below 5 (lowest 1.2).`"""
