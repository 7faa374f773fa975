"""Agreement of readers per feature, the gate on kappa, and consensus on discordant readings.

Readings are rows with `case`, `reader` and a column per feature (the READINGS table).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from idhray.stats.readers.kappa import ROUNDING, Kappa
from idhray.stats.readers.kappa_readings import cohen, fleiss
from idhray.stats.sample import SampleError
from idhray.stats.text import printed

GATE = 0.5
"""Categories with kappa >= 0.5 enter the univariable analysis. Source: Park et al. 2021."""


@dataclass(frozen=True, kw_only=True)
class FeatureAgreement:
    """Agreement on one feature, of every pair of readers and of all readers."""

    feature: str
    pairs: tuple[Kappa, ...]
    overall: Kappa
    """Kappa of the only pair, or Fleiss' kappa of three and more readers."""


def by_case(readings: pd.DataFrame, feature: str) -> pd.DataFrame:
    """One row per case (the index, in order of appearance), one column per reader (sorted).

    Raises:
        SampleError: a column is missing, a row names no case or no reader, a reader read a case
            twice, or there is only one reader.
    """
    if missing_columns := [name for name in ("case", "reader", feature) if name not in readings]:
        raise SampleError(f"readings have no column {', '.join(missing_columns)}")
    rows = readings[["case", "reader", feature]]
    if nameless := int(rows[["case", "reader"]].isna().any(axis=1).sum()):
        raise SampleError(f"{nameless} of {len(rows)} readings name no case or no reader")
    twice = rows[rows.duplicated(["case", "reader"])]
    if len(twice):
        first = twice.iloc[0]
        raise SampleError(
            f"case {first['case']} was read twice by {first['reader']} ({len(twice)} such rows); "
            "keep one reading each"
        )
    wide = rows.pivot(index="case", columns="reader", values=feature)
    if wide.shape[1] < 2:
        raise SampleError(f"{feature}: two readers are needed, found {list(wide.columns)}")
    return wide.reindex(pd.unique(rows["case"]))


def feature_agreement(
    readings: pd.DataFrame, feature: str, *, levels: Sequence[str] | None = None
) -> FeatureAgreement:
    """Kappa of every pair of readers; with three and more also Fleiss' kappa of all.

    Raises:
        SampleError: see `by_case` and `cohen`.
    """
    wide = by_case(readings, feature)
    pairs = tuple(cohen(wide[list(pair)], levels=levels) for pair in combinations(wide.columns, 2))
    overall = pairs[0] if len(pairs) == 1 else fleiss(wide, levels=levels)
    return FeatureAgreement(feature=feature, pairs=pairs, overall=overall)


def passes_gate(kappa: float, minimum: float = GATE) -> bool:
    """True if kappa, unrounded, reaches the minimum; an undefined kappa does not."""
    return bool(kappa >= minimum - ROUNDING)


def gate_table(agreements: Sequence[FeatureAgreement], minimum: float = GATE) -> pd.DataFrame:
    """One row per feature: kappa, interval, P, its word, pass or fail, and the reason."""
    return pd.DataFrame([_gate_row(agreement, minimum) for agreement in agreements])


def gate_table_without_kappa(reasons: Mapping[str, tuple[str, bool]]) -> pd.DataFrame:
    """Rows of `gate_table` for features of which no kappa can be computed.

    Args:
        reasons: Feature -> the reason, and True if the feature passes all the same.
    """
    return pd.DataFrame(
        [
            {
                "feature": feature,
                "method": "",
                "n": 0,
                "missing": 0,
                **dict.fromkeys(("kappa", "ci_low", "ci_high", "p"), np.nan),
                "strength": "",
                "passes": passes,
                "reason": reason,
                "notes": f"{reason[0].upper()}{reason[1:]}.",
            }
            for feature, (reason, passes) in reasons.items()
        ]
    )


def _gate_row(agreement: FeatureAgreement, minimum: float) -> dict[str, object]:
    overall = agreement.overall
    passes = passes_gate(overall.kappa, minimum)
    if np.isnan(overall.kappa):
        share = f" (readers agree on {overall.observed:.0%})" if overall.n else ""
        reason = f"kappa is undefined{share}"
    else:
        reason = f"kappa {printed(overall.kappa)} {'>=' if passes else '<'} {minimum:g}"
    if passes and overall.ci_low < minimum:
        reason += f", but its interval begins at {printed(overall.ci_low)}"
    return {
        "feature": agreement.feature,
        "method": overall.name,
        "n": overall.n,
        "missing": overall.missing,
        "kappa": overall.kappa,
        "ci_low": overall.ci_low,
        "ci_high": overall.ci_high,
        "p": overall.test.p,
        "strength": overall.strength,
        "passes": passes,
        "reason": reason,
        "notes": " ".join((*overall.notes, *overall.test.notes)),
    }


def discordant_readings(readings: pd.DataFrame, features: Sequence[str]) -> pd.DataFrame:
    """The cases on which readers differ: case, feature, reader1, reader2 (and so on).

    Readers are in sorted order, features in the given order. A case that a reader left out is
    listed too, with None as the reading: nobody has agreed on it.

    Raises:
        SampleError: see `by_case`.
    """
    rows, readers = [], 2
    for feature in features:
        wide = by_case(readings, feature)
        readers = max(readers, wide.shape[1])
        for case, cells in zip(wide.index, wide.to_numpy(), strict=True):
            values = [None if pd.isna(value) or value == "" else str(value) for value in cells]
            if None in values or len(set(values)) > 1:
                rows.append([case, feature, *values])
    columns = ["case", "feature", *(f"reader{i + 1}" for i in range(readers))]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def with_consensus(
    readings: pd.DataFrame,
    features: Sequence[str],
    consensus: pd.DataFrame,
    *,
    levels: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """One row per case with the value of each feature: the one all readers gave, or the consensus.

    Args:
        consensus: Columns `case`, `feature`, `consensus`; one row for each row of
            `discordant_readings`.
        levels: Categories of each feature; None: those that readers used. A consensus outside
            them is refused as a slip of the pen.

    Raises:
        SampleError: a discordant case has no consensus or two, or a consensus contradicts readers
            who agree, or names a case or feature that does not exist.
    """
    decided = _decisions(consensus)
    discordant = discordant_readings(readings, features)
    open_cells = [(row.case, row.feature) for row in discordant.itertuples()]
    if unsettled := [key for key in open_cells if key not in decided]:
        raise SampleError(
            f"{len(unsettled)} of {len(open_cells)} discordant readings have no consensus: "
            f"{_first(unsettled)}; let the readers settle them"
        )
    values = {feature: by_case(readings, feature) for feature in features}
    table = pd.DataFrame({name: wide.iloc[:, 0] for name, wide in values.items()}, dtype=object)
    for (case, feature), value in decided.items():
        if feature not in values or case not in table.index:
            raise SampleError(f"consensus on {_first([(case, feature)])}: nobody read that")
        categories = (levels or {}).get(feature) or _used(values[feature])
        if value not in categories:
            raise SampleError(
                f"consensus on {_first([(case, feature)])} is {value!r}, not one of "
                f"{', '.join(categories)}"
            )
        if (case, feature) not in open_cells and value != str(table.loc[case, feature]):
            raise SampleError(
                f"consensus on {_first([(case, feature)])} is {value!r}, but all readers said "
                f"{table.loc[case, feature]!r}"
            )
        table.loc[case, feature] = value
    return table.rename_axis("case").reset_index()


def _decisions(consensus: pd.DataFrame) -> dict[tuple[object, str], str]:
    """The consensus by (case, feature); blank rows are ignored."""
    if missing_columns := [n for n in ("case", "feature", "consensus") if n not in consensus]:
        raise SampleError(f"the consensus table has no column {', '.join(missing_columns)}")
    filled = consensus[consensus["consensus"].notna() & (consensus["consensus"] != "")]
    keys = list(zip(filled["case"], filled["feature"].astype(str), strict=True))
    if twice := sorted({key for key in keys if keys.count(key) > 1}, key=str):
        raise SampleError(f"two rows of consensus on {_first(twice)}; keep one")
    return dict(zip(keys, filled["consensus"].astype(str), strict=True))


def _used(wide: pd.DataFrame) -> list[str]:
    return sorted({str(value) for value in wide.to_numpy().ravel() if pd.notna(value)} - {""})


def _first(keys: Sequence[tuple[object, str]]) -> str:
    """The first three keys, as `P012 (margin)`."""
    text = ", ".join(f"{case} ({feature})" for case, feature in keys[:3])
    return text + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
