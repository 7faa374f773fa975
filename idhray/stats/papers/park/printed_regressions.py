"""Table 2 of a reader study as text, in the layout of Park et al. 2021."""

from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from idhray.stats.footnotes import Footnotes, Printed, marks_in
from idhray.stats.papers.park.features import BY_NAME
from idhray.stats.papers.park.regressions import FINAL, FULL, UNIVARIABLE
from idhray.stats.regression.design import INTERCEPT
from idhray.stats.text import p_cell, printed, records, signed

PENALIZED = "\u2021"
MARKS = {PENALIZED: "Firth's penalized likelihood (separation); penalized profile interval and P"}
_REFERENCE = "reference"


def print_regressions(table: pd.DataFrame, models: pd.DataFrame) -> Printed:
    """Univariable, multivariable and final coefficients; a heading per model with its fit.

    The multivariable coefficients are those of all candidates together, before elimination: the
    second block of Park's table. The final ones are those of the fit that predicts.
    """
    cells, footnotes = [], Footnotes()
    for model in records(models):
        rows = table[table["model"] == model["model"]]
        heading = _heading(model)
        for row in _coefficients(rows, footnotes):
            cells.append({"Model": heading, **row})
    frame = pd.DataFrame(cells).fillna("")
    return Printed(frame=frame, notes=[*marks_in(frame, MARKS), *footnotes.notes])


def _heading(model: dict[str, Any]) -> str:
    kinds = {"real": model["mutant_real"], "synthetic": model["mutant_synthetic"]}
    mutants = " and ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
    corrected = ""
    if pd.notna(model["auc_corrected"]):
        corrected = f", {printed(model['auc_corrected'])} on real cases corrected for optimism"
    return (
        f"Model {model['model']}: {model['wildtype']} wildtype, {mutants} mutant cases; Nagelkerke "
        f"R\u00b2 {printed(model['r2_nagelkerke'])}, AUC {printed(model['auc_apparent'])} on them"
        + corrected
    )


def _coefficients(rows: pd.DataFrame, footnotes: Footnotes) -> Iterator[dict[str, str]]:
    single = rows[rows["analysis"] == UNIVARIABLE]
    blocks = {
        title: rows[rows["analysis"] == kind].set_index(["feature", "level"]).to_dict("index")
        for title, kind in (("multivariable ", FULL), ("final ", FINAL))
    }
    yield {
        "Feature": INTERCEPT,
        **_estimate({}, ""),
        **_merged(
            _estimate(estimates[INTERCEPT, ""], title) for title, estimates in blocks.items()
        ),
    }
    for name, levels in single.groupby("feature", sort=False):
        feature = BY_NAME[str(name)]
        if reason := levels["not_analysed"].iloc[0]:
            mark = footnotes.mark(f"not analyzed: {reason}")
            yield {"Feature": feature.label, "Beta": f"not analyzed{mark}"}
            continue
        reference = levels["reference"].iloc[0]
        yield {
            "Feature": f"{feature.label}: {feature.levels[reference]}",
            **_merged(_estimate({}, title, _REFERENCE) for title in ("", *blocks)),
        }
        for row in records(levels):
            key = (name, row["level"])
            yield {
                "Feature": f"{feature.label}: {feature.levels[row['level']]}",
                **_estimate(row, ""),
                **_merged(
                    _estimate(estimates.get(key, {}), title, "not in the model")
                    for title, estimates in blocks.items()
                ),
            }


def _merged(cells: Iterable[dict[str, str]]) -> dict[str, str]:
    return {name: text for block in cells for name, text in block.items()}


def _estimate(row: dict[str, Any], kind: str, empty: str = "") -> dict[str, str]:
    """Beta, odds ratio with interval, and P: Wald's, or the penalized ones of a Firth fit."""
    names = [f"{kind}beta", f"{kind}odds ratio (95% CI)", f"{kind}P"]
    titles = [name[0].upper() + name[1:] for name in names]
    if not row:
        return dict(zip(titles, [empty, "", ""], strict=True))
    firth = row["method"] != "maximum likelihood"
    ends = (
        ("odds_ratio_profile_low", "odds_ratio_profile_high")
        if firth
        else (
            "odds_ratio_low",
            "odds_ratio_high",
        )
    )
    low, high = (printed(row[end], 2) for end in ends)
    mark = f" {PENALIZED}" if firth else ""
    ratio = f"{printed(row['odds_ratio'], 2)} ({low}\u2013{high})"
    intercept = not row["reference"]  # its exponential is an odds, not an odds ratio
    cells = [
        signed(row["beta"]) + mark,
        "" if intercept else ratio,
        p_cell(row["lr_p"] if firth else row["wald_p"]),
    ]
    return dict(zip(titles, cells, strict=True))
