"""Liu 2020: the age model that tables 5 and 6 make, beside the figures reported for age.

A Gaussian per class needs printed means and SDs only, and not a single patient.
"""

from math import sqrt

from scipy import stats

from benchmarks.papers.age_expected import (
    ExpectedPerformance,
    expected_performance,
    share_called_mutant,
)
from benchmarks.papers.cells import Block, Cell, added, find, sizes_of
from benchmarks.papers.liu_patients import PATIENTS, class_sizes, mean_sd, pooled_mean_sd
from benchmarks.papers.liu_tables import GROUPS, ROWS, errors_of_table_3, patients_of_both_sets
from idhray.stats.probabilities.age import AgeModel
from idhray.stats.roc.intervals import hanley_mcneil_se

SOURCES = {"TCGA": "Table 5", "local": "Table 6"}
COHORTS = (*SOURCES, "combined")


def age_model(cohort: str, *, shared: bool = False, empirical: bool = False) -> AgeModel:
    """The model that the printed means and SDs of a cohort make (`TCGA`, `local`, `combined`).

    Args:
        cohort: Name of the cohort.
        shared: One variance for both classes, pooled within them.
        empirical: Priors as frequent as the classes, else equal.
    """
    (w, w_mean, w_sd), (m, m_mean, m_sd) = (_summary(cohort, n) for n in ("wildtype", "mutant"))
    if shared:
        w_sd = m_sd = sqrt(((w - 1) * w_sd**2 + (m - 1) * m_sd**2) / (w + m - 2))
    return AgeModel(
        mean_mutant=m_mean,
        sd_mutant=m_sd,
        n_mutant=m,
        mean_wildtype=w_mean,
        sd_wildtype=w_sd,
        n_wildtype=w,
        prior_mutant=m / (m + w) if empirical else 0.5,
        shared_variance=shared,
        missing=0,
    )


def _summary(cohort: str, name: str) -> tuple[int, float, float]:
    """Patients, mean age and SD of one class."""
    if cohort in SOURCES:
        source = SOURCES[cohort]
        w, m = class_sizes(source)
        ages = find(PATIENTS, source=source, kind="mean±SD")[name]
        return m if name == "mutant" else w, *mean_sd(ages)
    sizes, means, sds = zip(*(_summary(part, name) for part in SOURCES), strict=True)
    return sum(sizes), *pooled_mean_sd(sizes, means, sds)


def age_alone() -> Block:
    """Thresholds and expected figures per cohort, and the reported ones beside them."""
    (m, w), area = sizes_of(find(ROWS, row="Age")), _combined().auc_by_age
    se = hanley_mcneil_se(area, m, w)
    roots = {cohort: min(age_model(cohort).roots()) for cohort in COHORTS}
    young = [f"below {r:.0f} years in the {name} cohort" for name, r in roots.items() if r > 0]
    without = " and ".join(name for name, root in roots.items() if root <= 0)
    return Block(
        "Age alone: Gaussian discriminant analysis from tables 5 and 6",
        [*(c for cohort in COHORTS for c in _model_cells(cohort)), *_reported(), _stratum()],
        [
            f"With {m} and {w} patients the expected AUC {area:.3f} has SE {se:.3f} "
            f"(95% range {area - 1.96 * se:.2f}-{area + 1.96 * se:.2f}), "
            "so both reported AUCs are as expected.",
            "With separate variances a second root calls the very young wildtype: "
            f"{'; '.join([*young, f'at no age in {without}'])}.",
        ],
    )


def _combined() -> ExpectedPerformance:
    return expected_performance(age_model("combined"))


def _model_cells(cohort: str) -> list[Cell]:
    label, equal, empirical = f"GDA, {cohort}", age_model(cohort), age_model(cohort, empirical=True)
    linear = [age_model(cohort, shared=True, empirical=e).threshold() for e in (False, True)]
    expected, other = expected_performance(equal), expected_performance(empirical)
    by_posterior, posterior = expected.auc_by_posterior, ""
    if abs(by_posterior - expected.auc_by_age) > 5e-4:
        posterior = f", {by_posterior:.3f} by posterior"
    return [
        added(
            (label, "threshold"),
            f"{equal.threshold():.1f} y",
            f"separate variances, equal priors (empirical {empirical.threshold():.1f})",
            remark=f"lower root {min(equal.roots()):.0f}; shared variance {linear[0]:.1f} "
            f"({linear[1]:.1f})",
            value=equal.threshold(),
        ),
        added(
            (label, "expected"),
            f"{expected.sensitivity:.3f}/{expected.specificity:.3f}",
            "sensitivity/specificity, equal priors",
            remark=f"accuracy {expected.accuracy:.3f} at 18:16; AUC {expected.auc_by_age:.3f} by "
            f"age{posterior}; empirical priors {other.sensitivity:.3f}/{other.specificity:.3f}",
            value=expected.sensitivity,
        ),
    ]


def _reported() -> list[Cell]:
    """Reported validation and test figures of age, and both pooled, beside the expected ones."""
    combined, convention = _combined(), "expected from the combined cohort"
    shares = f"{combined.sensitivity:.3f}/{combined.specificity:.3f}"
    cells = []
    for name in ("val", "test"):
        row = find(ROWS, row="Age", set=name)
        printed = f"{row['sensitivity']}/{row['specificity']}/{row['auc']}"
        place, text = (f"Age, {name}", "sens/spec/AUC"), f"{shares}/{combined.auc_by_age:.3f}"
        cells.append(added(place, text, convention, published=printed))
    (m, w), (missed, false) = patients_of_both_sets(), errors_of_table_3("Age")
    accuracy = 1 - (missed + false) / (m + w)
    remark = f"reported {(m - missed) / m:.3f} and {(w - false) / w:.3f}, accuracy {accuracy:.3f}"
    place, printed = ("Age, both sets", "sens/spec"), f"{m - missed}/{m}, {w - false}/{w}"
    return [*cells, added(place, shares, convention, remark=remark, published=printed)]


def _stratum() -> Cell:
    """Table 4, under 55: expected errors of the combined model beside the reported ones."""
    errors, older = find(GROUPS, row="Age, < 55"), find(GROUPS, row="Number of patients, >= 55")
    m, w = (n - old for n, old in zip(patients_of_both_sets(), sizes_of(older), strict=True))
    model, limit = age_model("combined"), 55.0

    def called_mutant(mean: float, sd: float) -> float:
        """Share of a class under the age limit that the model calls mutant."""
        below = float(stats.norm.cdf(limit, mean, sd))
        return share_called_mutant(model, mean, sd, limit) / below

    missed = m * (1 - called_mutant(model.mean_mutant, model.sd_mutant))
    false = w * called_mutant(model.mean_wildtype, model.sd_wildtype)
    convention = f"expected of {m} mutants and {w} wildtypes, combined cohort"
    printed = f"{errors['errors_mutant']}:{errors['errors_wildtype']}"
    place, text = ("Age, < 55", "errors"), f"{missed:.1f}:{false:.1f}"
    return added(place, text, convention, value=missed, published=printed)
