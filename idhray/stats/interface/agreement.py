"""Agreement of readers beyond chance."""

from collections.abc import Sequence

import pandas as pd

from idhray.stats.interface.answer import Answer, interval_text, one_row
from idhray.stats.interface.inputs import check_index
from idhray.stats.readers.kappa import Kappa
from idhray.stats.readers.kappa_readings import cohen, fleiss
from idhray.stats.sample import SampleError
from idhray.stats.text import p_text, printed


def cohen_kappa(
    first: Sequence[object] | pd.Series,
    second: Sequence[object] | pd.Series,
    *,
    levels: Sequence[str] | None = None,
) -> Answer[Kappa]:
    """Cohen's kappa of two readers of the same cases, unweighted.

    Args:
        first, second: Readings, one per case; None, NaN or "" is a missing one.
        levels: All categories; None: those that occur.

    Raises:
        SampleError: unequal lengths, no case read by both, or a reading outside `levels`.
    """
    check_index(first, second)
    if len(first) != len(second):
        raise SampleError(f"readers read the same cases; got {len(first)} and {len(second)}")
    readings = pd.DataFrame({"first": list(first), "second": list(second)})
    return _answer(cohen(readings, levels=levels))


def fleiss_kappa(readings: pd.DataFrame, *, levels: Sequence[str] | None = None) -> Answer[Kappa]:
    """Fleiss' kappa of two or more readers, unweighted.

    Args:
        readings: One row per case, one column per reader.
        levels: All categories; None: those that occur.

    Raises:
        SampleError: fewer than two readers, no case read by all, or a reading outside `levels`.
    """
    return _answer(fleiss(readings, levels=levels))


def _answer(kappa: Kappa) -> Answer[Kappa]:
    return Answer(
        figures=kappa,
        text=f"{kappa.name}: {printed(kappa.kappa)} "
        f"({interval_text(kappa.ci_low, kappa.ci_high)}), {p_text(kappa.test.p)}, "
        f"{kappa.n} cases; {kappa.strength}.",
        table=one_row(
            method=kappa.name,
            kappa=kappa.kappa,
            se=kappa.se,
            ci_low=kappa.ci_low,
            ci_high=kappa.ci_high,
            p=kappa.test.p,
            observed=kappa.observed,
            expected=kappa.expected,
            n=kappa.n,
            missing=kappa.missing,
        ),
        notes=(*kappa.notes, *kappa.test.notes),
    )
