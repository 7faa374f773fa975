"""Park 2021, table 2, univariable: which contrast and which test give each beta and P."""

from collections.abc import Sequence
from dataclasses import dataclass

from idhray.stats.audit.printed_number import shortly
from idhray.stats.replicate.cells import (
    REPRODUCED,
    Block,
    Cell,
    Convention,
    best_convention,
    said,
    status_of,
    tally,
    tally_of,
)
from idhray.stats.replicate.explain import explanation, splits_that_give, wildtypes_that_fit
from idhray.stats.replicate.park_features import (
    Split,
    feature_counts,
    likelihood_ratio_p,
    log_odds_ratio,
    score_p,
    splits,
    wald_p,
)
from idhray.stats.replicate.typed import Pair, Row, typed

P_TESTS = {"Wald P": wald_p, "likelihood-ratio P": likelihood_ratio_p, "score P": score_p}


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """One level against one reference, as it may have been fitted."""

    name: str
    level: Pair
    reference: Pair
    sign_dropped: bool = False

    def groups(self, model: int) -> list[Split]:
        """The counts of a model."""
        return splits(self.level, self.reference, model)

    def beta(self, model: int) -> float:
        """The coefficient as it would be printed."""
        beta = log_odds_ratio(self.groups(model))[0]
        return abs(beta) if self.sign_dropped else beta


def contrasts(levels: dict[str, Pair], level: str, reference: str) -> list[Contrast]:
    """The printed contrast, those with another reference or without sign, and against the rest."""
    others = [reference, *(name for name in levels if name not in (level, reference))]
    found = [
        Contrast(
            name=f"{level} vs {other}" + (", sign dropped" if drop else ""),
            level=levels[level],
            reference=levels[other],
            sign_dropped=drop,
        )
        for drop in (False, True)
        for other in others
    ]
    rest = [pair for name, pair in levels.items() if name != level]
    summed = tuple(sum(group) for group in zip(*rest, strict=True))
    return [*found, Contrast(name=f"{level} vs all others", level=levels[level], reference=summed)]


def univariable() -> Block:
    """21 betas and 21 P values; the contrast is sought per row, the test for all of them."""
    rows = [row for row in typed("park2021_table2") if row["analysis"] == "univariable"]
    chosen = {row["row"]: _contrast_of(row, rows) for row in rows}
    groups = [chosen[row["row"]].groups(int(row["model"])) for row in rows]
    tests = [
        Convention(name=name, values=[p_of(group) for group in groups])
        for name, p_of in P_TESTS.items()
    ]
    p_values = [row["p"] for row in rows]
    best = best_convention(p_values, tests)
    cells = [
        cell
        for i, row in enumerate(rows)
        for cell in _cells(row, chosen[row["row"]], best.name, best.values[i])
    ]
    betas, ps = ([c for c in cells if c.item.startswith(kind)] for kind in ("beta", "P"))
    return Block(
        title="Table 2, univariable: beta and P",
        cells=tuple(cells),
        findings=(
            f"Betas: {said(tally_of(betas))}. P: {said(tally_of(ps))}.",
            *(f"{test.name}: {said(tally(p_values, test))}." for test in tests),
            *_other_reference(chosen),
            *_joint(rows, cells),
        ),
    )


def _contrast_of(row: Row, rows: Sequence[Row]) -> Contrast:
    """The contrast that gives most betas of this row over the three models."""
    same = [r for r in rows if (r["level"], r["reference"]) == (row["level"], row["reference"])]
    candidates = contrasts(feature_counts()[row["variable"]], row["level"], row["reference"])
    conventions = [
        Convention(name=c.name, values=[c.beta(int(r["model"])) for r in same]) for c in candidates
    ]
    best = best_convention([r["estimate"] for r in same], conventions)
    return candidates[conventions.index(best)]


def _cells(row: Row, contrast: Contrast, test: str, p: float) -> list[Cell]:
    model, label = int(row["model"]), row["row"].split(",")[0]
    beta, se = contrast.beta(model), log_odds_ratio(contrast.groups(model))[1]
    status = status_of(row["estimate"], beta)
    p_status = status_of(row["p"], p)
    wrong = status not in REPRODUCED
    remark = explanation(contrast.groups(model), model, row["estimate"], row["p"]) if wrong else ""
    return [
        Cell(
            row=f"{label}, model {model}",
            item="beta",
            published=row["estimate"],
            recomputed=f"{beta:.4f} (SE {se:.4f})",
            status=status,
            convention=f"log odds ratio, {contrast.name}",
            remark="; ".join(text for text in (_as_printed(row, contrast), remark) if text),
            value=beta,
        ),
        Cell(
            row=f"{label}, model {model}",
            item="P",
            published=row["p"],
            recomputed=shortly(p, 3),
            status=p_status,
            convention=test,
            remark="as its beta" if wrong and p_status not in REPRODUCED else "",
            value=p,
        ),
    ]


def _as_printed(row: Row, contrast: Contrast) -> str:
    """What the printed contrast would have given, where another one was found."""
    printed = contrasts(feature_counts()[row["variable"]], row["level"], row["reference"])[0]
    if printed.name == contrast.name:
        return ""
    groups = printed.groups(int(row["model"]))
    return (
        f"the printed reference {row['reference']} would give {log_odds_ratio(groups)[0]:.2f} "
        f"(P {wald_p(groups):.2f})"
    )


def _other_reference(chosen: dict[str, Contrast]) -> list[str]:
    """Rows whose reference is not the printed one: their multivariable betas share the doubt."""
    wrong = {
        row.split(",")[0]: contrast.name
        for row, contrast in chosen.items()
        if contrast.sign_dropped
    }
    return [
        f"{label} was fitted as {name}: its multivariable betas cannot be read either."
        for label, name in wrong.items()
    ]


def _joint(rows: Sequence[Row], cells: Sequence[Cell]) -> list[str]:
    """For a feature whose betas are all wrong: whether any one table gives them."""
    wrong = {cell.row for cell in cells if cell.item == "beta" and cell.status == "mismatch"}
    findings = []
    for label in dict.fromkeys(row["row"].split(",")[0] for row in rows):
        same = [row for row in rows if row["row"].startswith(label)]
        if all(f"{label}, model {row['model']}" in wrong for row in same):
            findings.append(f"{label}: {_one_table(same)}")
    return findings


def _one_table(same: Sequence[Row]) -> str:
    """Models 1 and 2 have as many patients of either class; model 3 pools their mutants."""
    real, synthetic, both = same
    sizes = [(int(row["n_wildtype"]), int(row["n_mutant"])) for row in same]
    betas = [real["estimate"], synthetic["estimate"]]
    shared = wildtypes_that_fit(sizes[0], betas)
    pooled = splits_that_give(sizes[2], both["estimate"], both["p"])
    if shared or pooled:
        return "other counts than those of table 1 would give the printed betas."
    return (
        f"no wildtype row gives both {' and '.join(betas)}, whatever the mutants, and no table at "
        f"all gives {both['estimate']} with P {both['p']}: these rows come from other data than "
        "table 1."
    )
