"""What every significance test gives back: its name, its figures, and what to know about them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Significance:
    """The result of one test of significance."""

    method: str
    """The test with its convention: `Pearson chi-square without continuity correction`."""
    p: float
    """Two-sided; NaN where it does not exist, and then `notes` says why."""
    statistic: float = float("nan")
    """NaN where the test has none (Fisher's exact test of a larger table)."""
    df: int | None = None
    """Degrees of freedom, where the reference distribution has them."""
    notes: tuple[str, ...] = ()
    """Warnings in sentences: `3 of 6 expected counts are below 5 (lowest 1.2).`"""
