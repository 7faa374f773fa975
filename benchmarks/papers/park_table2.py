"""Park 2021, table 2, univariable: the contrast and the test that give each beta and P."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.papers.cells import (
    Block,
    Cell,
    Row,
    best_convention,
    compared,
    reproduces,
    tally_by_convention,
    tally_text,
    typed,
)
from benchmarks.papers.park_features import (
    Pair,
    contrast,
    explanation,
    feature_counts,
    splits,
    splits_that_give,
)
from idhray.stats.audit.contrasts import log_odds_ratio, standard_error, wald_p
from idhray.stats.audit.printed_number import shortly
from idhray.stats.audit.reported import CountTable
from idhray.stats.hypothesis.contingency import chi_square, g_test

P_TESTS: dict[str, Callable[[CountTable], float]] = {
    "Wald P": wald_p,
    "likelihood-ratio P": lambda counts: g_test(counts).p,
    "score P": lambda counts: chi_square(counts).p,
}


@dataclass(frozen=True)
class Contrast:
    """One level against one reference, as it may have been fitted."""

    name: str
    level: Pair
    reference: Pair
    sign_dropped: bool = False

    def counts(self, row: Row) -> CountTable:
        """The 2 x 2 counts of a row's model."""
        return contrast(splits(row, self.level, self.reference))

    def beta(self, row: Row) -> float:
        """The coefficient as it would be printed in a row."""
        beta = log_odds_ratio(self.counts(row))
        return abs(beta) if self.sign_dropped else beta


def contrasts(row: Row) -> dict[str, Contrast]:
    """The printed contrast, those with another reference or without sign, and against the rest."""
    levels, level = feature_counts()[row["variable"]], row["level"]
    others = [row["reference"], *(n for n in levels if n not in (level, row["reference"]))]
    pairs = [
        Contrast(f"{level} vs {n}{', sign dropped' * drop}", levels[level], levels[n], drop)
        for drop in (False, True)
        for n in others
    ]
    summed = tuple(sum(group) for group in zip(*(levels[n] for n in others), strict=True))
    pairs.append(Contrast(f"{level} vs all others", levels[level], summed))
    return {pair.name: pair for pair in pairs}


def univariable() -> Block:
    """21 betas and 21 P values; the contrast is sought per row, the test for all of them."""
    rows = [row for row in typed("park2021_table2") if row["analysis"] == "univariable"]
    labels = [row["row"].split(",")[0] for row in rows]
    models = {a: [r for r, b in zip(rows, labels, strict=True) if a == b] for a in labels}
    fitted = {label: _contrast_of(same) for label, same in models.items()}
    counts = [fitted[label].counts(row) for row, label in zip(rows, labels, strict=True)]
    p_values = {name: [p_of(table) for table in counts] for name, p_of in P_TESTS.items()}
    published = [row["p"] for row in rows]
    test = best_convention(published, p_values)
    betas, p_cells = [], []
    for row, label, p in zip(rows, labels, p_values[test], strict=True):
        beta = _beta_cell(row, label, fitted[label])
        wrong = beta.status == "mismatch" and not reproduces(row["p"], p)
        place, remark = (beta.row, "P"), "as its beta" if wrong else ""
        betas.append(beta)
        p_cells.append(compared(place, row["p"], p, shortly(p, 3), test, remark=remark))
    return Block(
        "Table 2, univariable: beta and P",
        [cell for pair in zip(betas, p_cells, strict=True) for cell in pair],
        [
            f"Betas: {tally_text(c.status for c in betas)}. "
            f"P: {tally_text(c.status for c in p_cells)}.",
            *tally_by_convention(published, p_values),
            *(
                f"{label} was fitted as {fit.name}: its multivariable betas cannot be read either."
                for label, fit in fitted.items()
                if fit.sign_dropped
            ),
            *(
                f"{label}: {_other_data(same)}"
                for label, same in models.items()
                if all(c.status == "mismatch" for c in betas if c.row.startswith(label))
            ),
        ],
    )


def _contrast_of(rows: Sequence[Row]) -> Contrast:
    """The contrast that gives most betas of a level over the three models."""
    candidates = contrasts(rows[0])
    values = {name: [c.beta(row) for row in rows] for name, c in candidates.items()}
    return candidates[best_convention([row["estimate"] for row in rows], values)]


def _beta_cell(row: Row, label: str, fitted: Contrast) -> Cell:
    beta, se = fitted.beta(row), standard_error(fitted.counts(row))
    remark, printed = "", contrasts(row)[f"{row['level']} vs {row['reference']}"]
    if printed != fitted:
        values = f"{printed.beta(row):.2f} (P {wald_p(printed.counts(row)):.2f})"
        remark = f"the printed reference {row['reference']} would give {values}"
    elif not reproduces(row["estimate"], beta):
        remark = explanation(splits(row, fitted.level, fitted.reference), row)
    place, convention = (f"{label}, model {row['model']}", "beta"), f"log odds ratio, {fitted.name}"
    text = f"{beta:.4f} (SE {se:.4f})"
    return compared(place, row["estimate"], beta, text, convention, remark=remark)


def _other_data(rows: Sequence[Row]) -> str:
    """Evidence that no one table gives the betas of a feature of which all three are wrong.

    Models 1 and 2 have as many patients of either class; model 3 pools their mutants.
    """
    real, synthetic, both = (row["estimate"] for row in rows)
    sizes = [(int(row["n_wildtype"]), int(row["n_mutant"])) for row in rows]
    wildtypes = [{w for w, _ in splits_that_give(sizes[0], beta)} for beta in (real, synthetic)]
    assert not wildtypes[0] & wildtypes[1]
    assert not splits_that_give(sizes[2], both, rows[2]["p"])
    return (
        f"no wildtype row gives both {real} and {synthetic}, whatever the mutants, and no table at "
        f"all gives {both} with P {rows[2]['p']}: these rows come from other data than table 1."
    )
