"""The visual Turing test of all readers: one by one, pooled, and as a table.

Each row is one judgment: `reader`, `case`, `real` (the truth) and `judged_real`.
Source: Park et al. 2021, "Evaluation of reality".
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from idhray.stats.accuracy.rates import Proportion, proportion
from idhray.stats.bootstrap import Bootstrapped, bootstrap
from idhray.stats.hypothesis.significance import Significance
from idhray.stats.readers.equivalence import CHANCE
from idhray.stats.readers.turing import EXACT_BINOMIAL, Confusion, ReaderTuring, judge
from idhray.stats.sample import SampleError

COLUMNS = ("reader", "case", "real", "judged_real")


@dataclass(frozen=True, kw_only=True)
class PooledTuring:
    """All judgments of all readers together; they share cases, so they are not independent."""

    readers: int
    cases: int
    rate: Proportion
    """Its intervals count every judgment as a case of its own: too narrow as a rule."""
    chance: Significance
    """Exact binomial test, with the same flaw, which its note names."""
    by_case: Bootstrapped
    """Interval and P with whole cases drawn anew, within real and synthetic ones."""


@dataclass(frozen=True, kw_only=True)
class TuringTest:
    """The readers one by one, and pooled where there are several."""

    readers: tuple[ReaderTuring, ...]
    pooled: PooledTuring | None


def turing_test(
    judgments: pd.DataFrame,
    *,
    margin: float = 0.1,
    confidence: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> TuringTest:
    """The visual Turing test of every reader.

    Args:
        judgments: Columns reader, case, real, judged_real (True or False, 1 or 0); judged_real
            may be missing, which is counted.
        margin: Rates this close to 50% count as guessing, in the equivalence test.
        confidence: Of the intervals; each test has the level 1 - confidence.
        draws, seed: Of the bootstrap over cases.

    Raises:
        SampleError: a column is lacking, `real` is unknown or contradictory, a reader judged a case
            twice, or nobody judged anything.
        ConfigError: the margin is not between 0 and 0.5.
    """
    rows = _checked(judgments)
    names = sorted(rows["reader"].unique())
    by_reader = [rows[rows["reader"] == name] for name in names]
    readers = tuple(
        _reader(str(name), own, margin, confidence)
        for name, own in zip(names, by_reader, strict=True)
    )
    known = rows[rows["judged_real"].notna()]
    pooled = _pooled(known, confidence, draws, seed) if len(readers) > 1 else None
    return TuringTest(readers=readers, pooled=pooled)


def turing_table(
    judgments: pd.DataFrame, margin: float = 0.1, *, draws: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """`turing_test` as one row per reader and one for all; empty where nothing was judged.

    Raises:
        SampleError, ConfigError: see `turing_test`.
    """
    if judgments.empty:
        return pd.DataFrame()
    test = turing_test(judgments, margin=margin, draws=draws, seed=seed)
    rows = [_row(one) for one in test.readers]
    if test.pooled is not None:
        rows.append(_pooled_row(test.pooled))
    return pd.DataFrame(rows)


def _row(one: ReaderTuring) -> dict[str, object]:
    return {
        "reader": one.reader,
        "n": int(one.rate.n),
        "missing": one.missing,
        "right": int(one.rate.count),
        "rate": one.rate.value,
        "rate_low": one.rate.exact_low,
        "rate_high": one.rate.exact_high,
        "method": one.chance.method,
        "p": one.chance.p,
        **vars(one.confusion),
        "synthetic_recognised": one.synthetic.value,
        "synthetic_recognised_low": one.synthetic.exact_low,
        "synthetic_recognised_high": one.synthetic.exact_high,
        "under_stop_rate": one.under_stop_rate,
        "margin": one.equivalence.margin,
        "equivalence_p": one.equivalence.p,
        "equivalence_low": one.equivalence.ci_low,
        "equivalence_high": one.equivalence.ci_high,
        "equivalent": one.equivalence.shown,
        "d_prime": one.d_prime,
        "criterion": one.criterion,
        "answer": one.answer,
        "sentence": one.sentence,
        "notes": " ".join(one.notes),
    }


def _pooled_row(pooled: PooledTuring) -> dict[str, object]:
    by_case = pooled.by_case
    return {
        "reader": "all readers",
        "n": int(pooled.rate.n),
        "right": int(pooled.rate.count),
        "rate": pooled.rate.value,
        "rate_low": by_case.ci_low,
        "rate_high": by_case.ci_high,
        "method": by_case.method,
        "p": by_case.p,
        "p_as_if_independent": pooled.chance.p,
        "notes": " ".join((*pooled.chance.notes, *by_case.notes)),
    }


def _checked(judgments: pd.DataFrame) -> pd.DataFrame:
    """The four columns, `real` as bool and `judged_real` as True, False or None."""
    if lacking := [name for name in COLUMNS if name not in judgments]:
        raise SampleError(f"judgments have no column {', '.join(lacking)}")
    rows = judgments[list(COLUMNS)].astype(object)
    rows = rows.where(rows.notna(), None)
    for name in ("reader", "case", "real"):
        if gaps := int(rows[name].isna().sum()):
            raise SampleError(f"{gaps} of {len(rows)} judgments have no {name}")
    for name in ("real", "judged_real"):
        strange = [v for v in rows[name] if v is not None and v not in (0, 1)]
        if strange:
            raise SampleError(f"{name} must be true or false (1 or 0), found {strange[0]!r}")
        rows[name] = [None if v is None else bool(v) for v in rows[name]]
    twice = rows[rows.duplicated(["reader", "case"])]
    if len(twice):
        one = twice.iloc[0]
        raise SampleError(f"{one['reader']} judged case {one['case']} twice; keep one judgment")
    truths = rows.groupby("case")["real"].nunique()
    if (truths > 1).any():
        raise SampleError(f"case {truths.idxmax()} is both real and synthetic; check its rows")
    if rows["judged_real"].isna().all():
        raise SampleError("no image was judged real or synthetic: there is no Turing test here")
    return rows


def _reader(name: str, rows: pd.DataFrame, margin: float, confidence: float) -> ReaderTuring:
    judged = rows[rows["judged_real"].notna()]
    if judged.empty:
        raise SampleError(f"{name} judged none of {len(rows)} images; leave these rows out")
    counts = judged.groupby(["real", "judged_real"]).size()
    return judge(
        Confusion(
            real_called_real=int(counts.get((True, True), 0)),
            real_called_synthetic=int(counts.get((True, False), 0)),
            synthetic_called_real=int(counts.get((False, True), 0)),
            synthetic_called_synthetic=int(counts.get((False, False), 0)),
        ),
        reader=name,
        margin=margin,
        confidence=confidence,
        missing=len(rows) - len(judged),
    )


def _pooled(rows: pd.DataFrame, confidence: float, draws: int, seed: int) -> PooledTuring:
    right = rows["real"] == rows["judged_real"]
    n = len(rows)
    by_case = right.groupby(rows["case"]).agg(["sum", "count"])
    counts = by_case.to_numpy(dtype=np.float64)  # (cases, 2): right answers, answers
    real = rows.groupby("case")["real"].first().loc[by_case.index].to_numpy(dtype=bool)
    return PooledTuring(
        readers=int(rows["reader"].nunique()),
        cases=len(counts),
        rate=proportion(int(right.sum()), n, confidence),
        chance=Significance(
            method=EXACT_BINOMIAL,
            p=float(stats.binomtest(int(right.sum()), n, CHANCE).pvalue),
            statistic=int(right.sum()),
            notes=(
                f"{n} judgments of {len(counts)} cases: the exact P takes them for independent, "
                "though readers share cases; and these readers are not all readers.",
            ),
        ),
        by_case=bootstrap(
            lambda drawn: float(counts[drawn, 0].sum() / counts[drawn, 1].sum()),
            real,
            draws=draws,
            seed=seed,
            null=CHANCE,
        ),
    )
