"""Detection and false alarms of the audit on AUC intervals of simulated studies.

    python -m benchmarks.audit_detection --studies 400

A study has 10 to 100 patients per class, and five rows: scores that are smooth or have ties, of
equal or unequal spread. Each interval is sound (five methods, two or three decimals), or has one of
the faults in `FAULTS`. A row counts if the audit has a finding about it that is no remark.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tyro
from numpy.typing import NDArray
from scipy.special import expit, logit

from idhray.chance import generator
from idhray.stats.audit.checks import audit_table
from idhray.stats.audit.printed_number import printed_number
from idhray.stats.audit.reported import ReportedRow, ReportedTable
from idhray.stats.roc.intervals import exact_auc_interval, hanley_mcneil_interval
from idhray.stats.text import printed

Floats = NDArray[np.float64]
Ends = tuple[float, float, float]  # area, low, high
METHODS = ("DeLong", "logit DeLong", "Hanley-McNeil", "exact binomial", "bootstrap")
ROWS, DRAWS, Z = 5, 500, 1.959964


@dataclass(frozen=True, kw_only=True)
class Options:
    """Size of the simulation."""

    studies: int = 400
    """Studies per method; each has five rows."""
    seed: int = 0


def main(options: Options) -> None:
    """Print shares of rows with a finding, by method and by fault."""
    alarms: dict[str, list[float]] = {}
    for method in METHODS:
        for study in range(options.studies):
            rng = generator(options.seed, "audit detection", method, str(study))
            sizes, decimals = rng.integers(10, 101, 2), int(rng.integers(2, 4))
            rows = [sound_row(rng, sizes, method) for _ in range(ROWS)]
            alarms.setdefault(f"sound, {method}", []).extend(flagged(rows, sizes, decimals))
            for name, fault in FAULTS.items():
                broken = [fault(row, rows[i - 1]) for i, row in enumerate(rows)]
                hits = [
                    flagged([*rows[:i], row, *rows[i + 1 :]], sizes, decimals)[i]
                    for i, row in enumerate(broken[:1])
                ]
                alarms.setdefault(f"{name}, {method}", []).extend(hits)
    for name, hits in alarms.items():
        any_finding, impossible = (np.mean([hit >= least for hit in hits]) for least in (1, 2))
        row = {"rows": len(hits), "found": round(float(any_finding), 4)}
        print(json.dumps({"case": name, **row, "impossible": round(float(impossible), 4)}))


def sound_row(rng: np.random.Generator, sizes: NDArray[np.int64], method: str) -> Ends:
    """An area between its ends, by one method; perfect and hopeless rankings are drawn again."""
    m, w = (int(size) for size in sizes)
    gain, spread, step = rng.uniform(0.4, 2.3), rng.choice([0.6, 1, 1.6]), rng.choice([0.01, 0.5])
    while True:
        scores = [np.round(rng.normal(gain, spread, m) / step), np.round(rng.normal(size=w) / step)]
        pairs = (np.sign(scores[0][:, None] - scores[1]) + 1) / 2  # (mutants, wildtypes)
        if 0.5 < pairs.mean() < 1:
            return interval(rng, pairs, method)


def interval(rng: np.random.Generator, pairs: Floats, method: str) -> Ends:
    """The interval of the share of ordered pairs."""
    (m, w), area = pairs.shape, float(pairs.mean())
    se = float(np.sqrt(pairs.mean(1).var(ddof=1) / m + pairs.mean(0).var(ddof=1) / w))
    if method == "bootstrap":
        mutants, wildtypes = (rng.multinomial(n, [1 / n] * n, DRAWS) / n for n in (m, w))
        draws = np.einsum("dm,mw,dw->d", mutants, pairs, wildtypes, optimize=True)
        low, high = np.quantile(draws, [0.025, 0.975])
    elif method == "exact binomial":
        low, high = exact_auc_interval(area, m + w)
    elif method == "Hanley-McNeil":
        low, high = hanley_mcneil_interval(area, m, w)
    elif method == "logit DeLong":
        half = Z * se / (area * (1 - area))
        low, high = expit(logit(area) - half), expit(logit(area) + half)
    else:
        low, high = area - Z * se, area + Z * se
    return area, max(float(low), 0.0), min(float(high), 1.0)


def scaled(below: float, above: float) -> Callable[[Ends, Ends], Ends]:
    """A fault that multiplies both arms."""

    def fault(row: Ends, _: Ends) -> Ends:
        area, low, high = row
        return area, max(area - below * (area - low), 0), min(area + above * (high - area), 1)

    return fault


def copied(row: Ends, other: Ends) -> Ends:
    """The interval of another row; if it does not hold the area, it is found anyway."""
    return row[0], other[1], other[2]


FAULTS: dict[str, Callable[[Ends, Ends], Ends]] = {
    "copied": copied,
    "twice as wide": scaled(2, 2),
    "half as wide": scaled(0.5, 0.5),
    "a third as wide": scaled(1 / 3, 1 / 3),
    "one arm tripled below": scaled(3, 1),
    "one arm tripled above": scaled(1, 3),
    "arm cut to a third below": scaled(1 / 3, 1),
    "arm cut to a third above": scaled(1, 1 / 3),
}


def flagged(rows: list[Ends], sizes: NDArray[np.int64], decimals: int) -> list[float]:
    """By row: 0 without a finding, 1 with one, 2 if it is called impossible."""
    m, w = (int(size) for size in sizes)
    reported = [
        ReportedRow(
            line=i + 2,
            row=f"row {i}",
            n=m + w,
            n_mutant=m,
            n_wildtype=w,
            auc=printed_number(printed(area, decimals)),
            auc_low=printed_number(printed(low, decimals)),
            auc_high=printed_number(printed(high, decimals)),
        )
        for i, (area, low, high) in enumerate(rows)
    ]
    worst = dict.fromkeys(range(2, len(rows) + 2), 0.0)
    for finding in audit_table(ReportedTable(rows=tuple(reported))).findings:
        if finding.line is not None:
            grade = 2.0 if finding.severity == "impossible" else 1.0
            worst[finding.line] = max(worst[finding.line], grade)
    return list(worst.values())


if __name__ == "__main__":
    main(tyro.cli(Options))
