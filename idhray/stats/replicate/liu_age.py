"""Liu 2020: the age model that tables 5 and 6 make, beside the figures reported for age."""

from collections.abc import Sequence

from scipy import stats

from idhray.stats.probabilities.age_expected import (
    ExpectedPerformance,
    expected_performance,
    share_called_mutant,
)
from idhray.stats.replicate.cells import Block, Cell
from idhray.stats.replicate.expected_age import SOURCES, age_model
from idhray.stats.replicate.liu_groups import errors_of_table3, patients_of_both_sets
from idhray.stats.replicate.typed import Row, typed
from idhray.stats.roc.intervals import hanley_mcneil_se


def age_block() -> Block:
    """Thresholds and expected figures per cohort, and the reported ones beside them."""
    cells = [cell for cohort in (*SOURCES, "combined") for cell in _model_cells(cohort)]
    combined = expected_performance(age_model("combined"))
    rows = [
        row
        for row in typed("liu2020_table123")
        if (row["source"], row["row"]) == ("Table 3", "Age")
    ]
    m, w = int(rows[0]["n_mutant"]), int(rows[0]["n_wildtype"])
    area = combined.auc_by_age
    se = hanley_mcneil_se(area, m, w)
    return Block(
        title="Age alone: Gaussian discriminant analysis from tables 5 and 6",
        cells=(*cells, *_reported(rows, combined), *_strata()),
        findings=(
            f"With {m} and {w} patients the expected AUC {area:.3f} has SE {se:.3f} "
            f"(95% range {area - 1.96 * se:.2f}-{area + 1.96 * se:.2f}), "
            "so both reported AUCs are as expected.",
            "With separate variances a second root calls the very young wildtype: "
            f"{_lower_roots()}.",
        ),
    )


def _lower_roots() -> str:
    roots = {cohort: min(age_model(cohort).roots()) for cohort in (*SOURCES, "combined")}
    met = [
        f"below {root:.0f} years in the {name} cohort" for name, root in roots.items() if root > 0
    ]
    never = [name for name, root in roots.items() if root <= 0]
    return "; ".join([*met, f"at no age in {' and '.join(never)}"])


def _model_cells(cohort: str) -> list[Cell]:
    equal, empirical = (age_model(cohort, empirical=e) for e in (False, True))
    linear = [age_model(cohort, shared=True, empirical=e) for e in (False, True)]
    found = expected_performance(equal)
    other = expected_performance(empirical)
    lower = min(equal.roots())
    posterior = (
        f", {found.auc_by_posterior:.3f} by posterior"
        if abs(found.auc_by_posterior - found.auc_by_age) > 5e-4
        else ""
    )
    return [
        _added(
            f"GDA, {cohort}",
            "threshold",
            f"{equal.threshold():.1f} y",
            convention=f"separate variances, equal priors (empirical {empirical.threshold():.1f})",
            remark=f"lower root {lower:.0f}; shared variance {linear[0].threshold():.1f} "
            f"({linear[1].threshold():.1f})",
            value=equal.threshold(),
        ),
        _added(
            f"GDA, {cohort}",
            "expected",
            f"{found.sensitivity:.3f}/{found.specificity:.3f}",
            convention="sensitivity/specificity, equal priors",
            remark=f"accuracy {found.accuracy:.3f} at 18:16; AUC {found.auc_by_age:.3f} by age"
            f"{posterior}; empirical priors {other.sensitivity:.3f}/{other.specificity:.3f}",
            value=found.sensitivity,
        ),
    ]


def _reported(rows: Sequence[Row], combined: ExpectedPerformance) -> list[Cell]:
    """Reported validation and test figures of age, and both pooled, beside the expected ones."""
    m, w = patients_of_both_sets()
    errors = errors_of_table3("Age")
    shares = f"{combined.sensitivity:.3f}/{combined.specificity:.3f}"
    cells = [
        Cell(
            row=f"Age, {row['set']}",
            item="sens/spec/AUC",
            published=f"{row['sensitivity']}/{row['specificity']}/{row['auc']}",
            recomputed=f"{shares}/{combined.auc_by_age:.3f}",
            status="added",
            convention="expected from the combined cohort",
        )
        for row in rows
    ]
    pooled = Cell(
        row="Age, both sets",
        item="sens/spec",
        published=f"{m - errors[0]}/{m}, {w - errors[1]}/{w}",
        recomputed=shares,
        status="added",
        convention="expected from the combined cohort",
        remark=f"reported {(m - errors[0]) / m:.3f} and {(w - errors[1]) / w:.3f}, accuracy "
        f"{1 - sum(errors) / (m + w):.3f}",
    )
    return [*cells, pooled]


def _strata() -> list[Cell]:
    """Table 4, under 55: expected errors of the combined model beside the reported ones."""
    rows = typed("liu2020_table4")
    errors = next(r for r in rows if r["row"] == "Age, < 55")
    elder = next(r for r in rows if r["row"] == "Number of patients, >= 55")
    m, w = patients_of_both_sets()
    m, w = m - int(elder["n_mutant"]), w - int(elder["n_wildtype"])
    model, limit = age_model("combined"), 55.0
    called = [
        share_called_mutant(model, mean, sd, limit) / float(stats.norm.cdf(limit, mean, sd))
        for mean, sd in (
            (model.mean_mutant, model.sd_mutant),
            (model.mean_wildtype, model.sd_wildtype),
        )
    ]
    wrong = m * (1 - called[0]), w * called[1]
    return [
        Cell(
            row="Age, < 55",
            item="errors",
            published=f"{errors['errors_mutant']}:{errors['errors_wildtype']}",
            recomputed=f"{wrong[0]:.1f}:{wrong[1]:.1f}",
            status="added",
            convention=f"expected of {m} mutants and {w} wildtypes, combined cohort",
            value=wrong[0],
        )
    ]


def _added(
    row: str, item: str, recomputed: str, *, convention: str, remark: str, value: float
) -> Cell:
    return Cell(
        row=row,
        item=item,
        published="",
        recomputed=recomputed,
        status="added",
        convention=convention,
        remark=remark,
        value=value,
    )
