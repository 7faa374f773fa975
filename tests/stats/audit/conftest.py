"""Small tables of reported results, written as the lines of a CSV file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from idhray.stats.audit.checks import Audit, audit_table
from idhray.stats.audit.reading import read_reported
from idhray.stats.audit.reported import ReportedRow
from tests.stats.arms.conftest import experiment as experiment

PUBLISHED = Path(__file__).parents[3] / "benchmarks" / "papers" / "published"


@pytest.fixture
def rows_of(tmp_path) -> Callable[..., tuple[ReportedRow, ...]]:
    """A maker of rows from a header and lines."""

    def make(*lines: str) -> tuple[ReportedRow, ...]:
        path = tmp_path / "table.csv"
        path.write_text("\n".join(lines))
        return read_reported(str(path)).rows

    return make


@pytest.fixture
def audit_of(tmp_path) -> Callable[..., Audit]:
    """A maker of an audit from a header and lines."""

    def make(*lines: str) -> Audit:
        path = tmp_path / "table.csv"
        path.write_text("\n".join(lines))
        return audit_table(read_reported(str(path)))

    return make


@pytest.fixture
def published_audit() -> Callable[[str], Audit]:
    """The audit of a table of one of the papers."""

    def audit(name: str) -> Audit:
        return audit_table(read_reported(str(PUBLISHED / f"{name}.csv")))

    return audit
