"""Mutated tables end in a manifest or in one message, never in a traceback or a hang."""

import time

import pytest

from idhray.cohorts.labels import LabelOptions
from idhray.cohorts.manifest import read_manifest
from idhray.cohorts.table_import import table_manifest
from idhray.errors import ManifestError
from tests.cohorts.table_mutations import mutated_table

LIMIT_S = 5
ENDINGS = ("csv", "tsv", "parquet", "xlsx", "txt")


def outcome(reader, path):
    """`read` or `refused`; any other error passes through."""
    start = time.process_time()
    cohort, message = None, ""
    try:
        cohort = reader(path)
    except ManifestError as error:
        message = str(error)
    assert time.process_time() - start < LIMIT_S
    if cohort is None:
        assert message.startswith(path)
        assert len(message) < 20_000
        return "refused"
    assert len(cohort) > 0
    assert (cohort["patient"] != "").all()
    assert set(cohort["idh"]) <= {"mutant", "wildtype", ""}
    assert set(cohort["grade"]) <= {"1", "2", "3", "4", ""}
    assert set(cohort["sex"]) <= {"M", "F", "O", ""}
    assert cohort["age"].dropna().between(0, 120).all()
    assert not cohort["patient"].str.contains("[\x00-\x1f]").any()
    return "read"


def outcomes(folder, seeds):
    """Number of tables by outcome, read as a manifest and mapped as any table."""
    counts = {"read": 0, "refused": 0, "mapped": 0}
    for seed in seeds:
        path = folder / f"table.{ENDINGS[seed % len(ENDINGS)]}"
        path.write_bytes(mutated_table(seed))
        counts[outcome(read_manifest, str(path))] += 1
        lenient = outcome(
            lambda name: table_manifest([name], options=LabelOptions()).manifest, str(path)
        )
        counts["mapped"] += lenient == "read"
    return counts


def test_mutated_tables_are_read_or_refused_in_one_message(tmp_path):
    """Files are edited by hand, cut by mail servers and exported by programs of all kinds."""
    counts = outcomes(tmp_path, range(25))

    assert counts["read"] > 2
    assert counts["refused"] > 2


@pytest.mark.slow
def test_two_thousand_mutated_tables(tmp_path):
    """The same with many more seeds."""
    counts = outcomes(tmp_path, range(2000))

    assert counts["read"] > 200
    assert counts["refused"] > 200
