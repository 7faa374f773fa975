"""Visual Turing test of all readers: one by one, pooled, and as a table.

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

JUDGMENT_COLUMNS = ("reader", "case", "real", "judged_real")


@dataclass(frozen=True, kw_only=True)
class PooledTuring:
    """All judgments of all readers together; they share cases, so they are not independent."""

    readers: int
    cases: int
    rate: Proportion
    """Its intervals count every judgment as a separate case: too narrow as a rule."""
    chance: Significance
    """Exact binomial test, with the same flaw, which its note states."""
    by_case: Bootstrapped
    """Interval and P by resampling whole cases, within real and within synthetic ones."""


@dataclass(frozen=True, kw_only=True)
class TuringTest:
    """Readers one by one, and pooled if there are several."""

    readers: tuple[ReaderTuring, ...]
    pooled: PooledTuring | None


def turing_test(
    judgments: pd.DataFrame,
    *,
    margin: float = 0.1,
    draws: int = 2000,
    seed: int = 0,
) -> TuringTest:
    """Visual Turing test of every reader.

    Args:
        judgments: Columns reader, case, real, judged_real (True or False, 1 or 0); judged_real
            may be missing, which is counted.
        margin: Rates this close to 50% count as guessing, in the equivalence test.
        draws: Resamples of the bootstrap over cases.
        seed: Seed of the bootstrap.

    Raises:
        SampleError: a column is missing, `real` is missing or contradictory, a reader judged a
            case twice, or there is no judgment at all.
        ConfigError: the margin is not between 0 and 0.5.
    """
    rows = _checked(judgments)
    names = sorted(rows["reader"].unique())
    by_reader = [rows[rows["reader"] == name] for name in names]
    readers = tuple(
        _reader(str(name), judged, margin) for name, judged in zip(names, by_reader, strict=True)
    )
    complete = rows[rows["judged_real"].notna()]
    pooled = _pooled(complete, draws, seed) if len(readers) > 1 else None
    return TuringTest(readers=readers, pooled=pooled)


def turing_table(
    judgments: pd.DataFrame, margin: float = 0.1, *, draws: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """`turing_test` as one row per reader and one for all; empty without judgments.

    Raises:
        SampleError, ConfigError: see `turing_test`.
    """
    if judgments.empty:
        return pd.DataFrame()
    test = turing_test(judgments, margin=margin, draws=draws, seed=seed)
    rows = [_row(reader) for reader in test.readers]
    if test.pooled is not None:
        rows.append(_pooled_row(test.pooled))
    return pd.DataFrame(rows)


def _row(test: ReaderTuring) -> dict[str, object]:
    return {
        "reader": test.reader,
        "n": int(test.rate.n),
        "missing": test.missing,
        "right": int(test.rate.count),
        "rate": test.rate.value,
        "rate_low": test.rate.exact_low,
        "rate_high": test.rate.exact_high,
        "method": test.chance.method,
        "p": test.chance.p,
        **vars(test.confusion),
        "synthetic_recognised": test.synthetic.value,
        "synthetic_recognised_low": test.synthetic.exact_low,
        "synthetic_recognised_high": test.synthetic.exact_high,
        "under_stop_rate": test.under_stop_rate,
        "margin": test.equivalence.margin,
        "equivalence_p": test.equivalence.p,
        "equivalence_low": test.equivalence.ci_low,
        "equivalence_high": test.equivalence.ci_high,
        "equivalent": test.equivalence.equivalent,
        "d_prime": test.d_prime,
        "criterion": test.criterion,
        "answer": test.answer,
        "sentence": test.sentence,
        "notes": " ".join(test.notes),
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
    if missing_columns := [name for name in JUDGMENT_COLUMNS if name not in judgments]:
        raise SampleError(f"judgments have no column {', '.join(missing_columns)}")
    rows = judgments[list(JUDGMENT_COLUMNS)].astype(object)
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
        first = twice.iloc[0]
        raise SampleError(f"{first['reader']} judged case {first['case']} twice; keep one judgment")
    truths = rows.groupby("case")["real"].nunique()
    if (truths > 1).any():
        raise SampleError(f"case {truths.idxmax()} is both real and synthetic; check its rows")
    if rows["judged_real"].isna().all():
        raise SampleError("no image was judged real or synthetic: there is no Turing test here")
    return rows


def _reader(name: str, rows: pd.DataFrame, margin: float) -> ReaderTuring:
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
        missing=len(rows) - len(judged),
    )


def _pooled(rows: pd.DataFrame, draws: int, seed: int) -> PooledTuring:
    right = rows["real"] == rows["judged_real"]
    n = len(rows)
    by_case = right.groupby(rows["case"]).agg(["sum", "count"])
    counts = by_case.to_numpy(dtype=np.float64)  # (cases, 2): right answers, answers
    real = rows.groupby("case")["real"].first().loc[by_case.index].to_numpy(dtype=bool)
    return PooledTuring(
        readers=int(rows["reader"].nunique()),
        cases=len(counts),
        rate=proportion(int(right.sum()), n),
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
