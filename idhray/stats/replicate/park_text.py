"""Park 2021, abstract and text, against the paper's own tables."""

from collections.abc import Sequence
from math import exp

from idhray.stats.audit.printed_number import shortly
from idhray.stats.replicate.cells import (
    REPRODUCED,
    Block,
    Cell,
    Convention,
    Status,
    best_convention,
    status_of,
)
from idhray.stats.replicate.park_claims import p_claim, p_of, same_number, total
from idhray.stats.replicate.typed import Row, number_in, typed

AUC_NAMES = ("auc", "auc_low", "auc_high")


def text_claims() -> Block:
    """Estimates, areas, P values and numbers of patients that the text repeats from tables."""
    rows = typed("park2021_text")
    abstract = [row for row in rows if row["scale"] == "odds ratio"]
    results = [row for row in rows if row["scale"] == "beta"]
    return Block(
        title="Abstract and text, against the tables",
        cells=(
            *(_odds_ratio(row) for row in abstract),
            *_abstract_p(abstract),
            *(_beta(row) for row in results),
            *(_area(row) for row in rows if row["auc"]),
            *(p_claim(row) for row in rows if row["contrast"]),
            *(total(row) for row in rows if row["total"]),
        ),
    )


def _multivariable(row: Row) -> Row:
    return next(
        r
        for r in typed("park2021_table2")
        if r["analysis"] == "multivariable" and r["group"] == row["group"]
    )


def _odds_ratio(row: Row) -> Cell:
    beta = _multivariable(row)["estimate"]
    value = exp(float(number_in(beta).value))
    is_beta = row["estimate"] == beta
    status = status_of(row["estimate"], value)
    return Cell(
        row=row["group"],
        item="odds ratio",
        published=row["estimate"],
        recomputed=shortly(value),
        status=status,
        convention="exp(beta) of table 2",
        remark="the printed value is the beta itself" if is_beta and status == "mismatch" else "",
        value=value,
    )


def _abstract_p(rows: Sequence[Row]) -> list[Cell]:
    """The abstract gives one P for two models: that of each, or the larger one?"""
    own = [p_of(_multivariable(row)["p"]) for row in rows]
    label = [row["group"].split(",")[0] for row in rows]
    larger = [max(p for p, m in zip(own, label, strict=True) if m == name) for name in label]
    best = best_convention(
        [row["p"] for row in rows],
        [
            Convention(name="P of the same model in table 2", values=own),
            Convention(name="the larger P of models 1 and 2 in table 2", values=larger),
        ],
    )
    return [
        Cell(
            row=row["group"],
            item="P",
            published=row["p"],
            recomputed=_text_of(value, rows),
            status=status_of(row["p"], value),
            convention=best.name,
            value=value,
        )
        for row, value in zip(rows, best.values, strict=True)
    ]


def _text_of(p: float, rows: Sequence[Row]) -> str:
    """As table 2 prints it."""
    return next(t for t in (_multivariable(row)["p"] for row in rows) if p_of(t) == p)


def _beta(row: Row) -> Cell:
    source = _multivariable(row)
    statuses = [same_number(row[column], source[column]) for column in ("estimate", "p")]
    return Cell(
        row=row["group"],
        item="beta; P in text",
        published=f"{row['estimate']}; {row['p']}",
        recomputed=f"{source['estimate']}; {source['p']}",
        status=_worst(statuses),
        convention="table 2, multivariable, rounded",
    )


def _worst(statuses: Sequence[Status]) -> Status:
    order: tuple[Status, ...] = (*REPRODUCED, "mismatch")
    return max(statuses, key=order.index)


def _area(row: Row) -> Cell:
    source = next(
        r for r in typed("park2021_table3") if (r["set"], r["model"]) == (row["set"], row["model"])
    )
    named = [name for name in AUC_NAMES if row[name]]
    found = {name: same_number(row[name], source[name]) for name in named}
    wrong = [f"{row[n]} for {source[n]}: {found[n]}" for n in named if found[n] != "match"]
    return Cell(
        row=row["row"].removeprefix("AUC, "),
        item="AUC (95% CI)" if len(named) > 1 else "AUC",
        published=_interval(row),
        recomputed=_interval(source) if len(named) > 1 else source["auc"],
        status=_worst(list(found.values())),
        convention="table 3, to two digits",
        remark="; ".join(wrong),
    )


def _interval(row: Row) -> str:
    return f"{row['auc']} ({row['auc_low']}-{row['auc_high']})" if row["auc_low"] else row["auc"]
