"""Reported results that cannot be right: a table as printed in, findings with their reasons out."""

from typing import Any

from idhray.errors import ConfigError, StorageError
from idhray.stats.audit.checks import audit_table
from idhray.stats.audit.printout import audit_file, audit_text
from idhray.stats.audit.reading import read_reported
from idhray.storage import absolute, publish


def audit(table: str, *, out: str | None = None) -> dict[str, Any]:
    """Flag impossible percentages, areas, intervals and P values in a table of reported results.

    Columns are `row` and any of set, source, group, n, n_mutant, n_wildtype, sensitivity,
    specificity, accuracy, accuracy_count (37/44), ppv, npv, threshold, auc, auc_low, auc_high,
    estimate, scale (beta or odds ratio), low, high, p, counts (47/19; 28/8).

    Args:
        table: CSV, TSV or Parquet with every number as printed: 0.720 is not 0.72.
        out: Also write the findings here (.csv or .json).
    """
    if out is not None and absolute(out) == absolute(table):
        raise ConfigError(f"--out {out}: is the table itself; choose another file")
    found = audit_table(read_reported(table))
    if out is not None:
        try:
            publish(out, audit_file(found, table, out))
        except OSError as error:
            raise StorageError(
                f"{out}: cannot be written ({error}); choose another --out"
            ) from None
    return {
        "table": table,
        "out": out,
        "rows": found.rows,
        "rows_flagged": len(found.lines()),
        "findings": len(found.findings),
        "impossible": found.count("impossible"),
        "contradiction": found.count("contradiction"),
        "suspicious": found.count("suspicious"),
        "remarks": len(found.remarks),
        "text": audit_text(found, table),
    }
