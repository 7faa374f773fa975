"""The command `audit`: findings about a table of reported results, each with its reason."""

from dataclasses import dataclass
from typing import Any, Literal

from idhray.errors import ConfigError, StorageError
from idhray.stats.audit.checks import audit_file, audit_table, audit_text
from idhray.stats.audit.findings import SEVERITIES
from idhray.stats.audit.reading import read_reported
from idhray.storage import absolute, publish


@dataclass(frozen=True, kw_only=True)
class AuditFlags:
    """Flags of `idhray audit`."""

    table: str
    """CSV, TSV or Parquet with every number as printed: 0.720 is not 0.72."""
    out: str | None = None
    """Also write the findings here (.csv or .json)."""
    fail_on: Literal["never", "impossible", "contradiction", "suspicious"] = "never"
    """Exit with 1 if there is a finding of this severity or a graver one, as for a check in CI."""


def audit(flags: AuditFlags) -> dict[str, Any]:
    """Flag impossible percentages, areas, intervals and P values in a table of reported results.

    Columns are `row` (the name of each row) and any of:
    set, source, group: data set, place in the paper, variable or model of the row.
    n, n_mutant, n_wildtype: numbers of patients.
    repeats, folds: trainings and folds whose figures were averaged; empty for a single one.
    sensitivity, specificity, accuracy, ppv, npv (0.722 or 72.2%), accuracy_count (37/44),
    threshold: figures of the operating point.
    auc: area under the ROC curve.
    sensitivity_low, sensitivity_high, specificity_low, specificity_high, accuracy_low,
    accuracy_high, ppv_low, ppv_high, npv_low, npv_high, auc_low, auc_high: ends of 95% intervals.
    estimate, low, high: estimate, ends of its 95% interval.
    scale: beta, odds ratio (OR), hazard ratio (HR), relative risk (RR), positive likelihood ratio
    (LR+), negative likelihood ratio (LR-), kappa, mean difference or AUC difference.
    compared_with: row of the same set with which p (and an AUC difference) compares this one.
    p: 0.04, <0.001 or >0.99; P of the estimate, else of the counts, else of the comparison, else
    of the area against 0.5.

    `counts`: levels separated by `;`, groups by `/`, as in 47/19; 28/8; 5/11. With an estimate:
    wildtype/mutant of its level; then wildtype/mutant of the reference. For example, an odds
    ratio of 3.62 (a beta of 1.29) has 29/25; 42/10.

    Names of columns may differ in case, spaces and underscores. Other columns are not read.
    """
    if flags.out is not None and absolute(flags.out) == absolute(flags.table):
        raise ConfigError(f"--out {flags.out}: is the table itself; choose another file")
    result = audit_table(read_reported(flags.table))
    if flags.out is not None:
        try:
            publish(flags.out, audit_file(result, flags.table, flags.out))
        except OSError as error:
            raise StorageError(
                f"{flags.out}: cannot be written ({error}); choose another --out"
            ) from None
    severities = list(SEVERITIES)
    grave = severities[: severities.index(flags.fail_on) + 1] if flags.fail_on != "never" else []
    failed = any(result.count(severity) for severity in grave)
    return {
        **({"exit_code": 1} if failed else {}),
        "table": flags.table,
        "out": flags.out,
        "rows": result.rows,
        "rows_flagged": len(result.lines()),
        "findings": len(result.findings),
        "impossible": result.count("impossible"),
        "contradiction": result.count("contradiction"),
        "suspicious": result.count("suspicious"),
        "remarks": len(result.remarks),
        "text": audit_text(result, flags.table),
    }
