"""Records name a withdrawn patient by a keyed hash, which the guard still matches."""

import hashlib
import hmac

import pytest

from idhray.errors import LeakageError
from idhray.withdrawals import (
    Withdrawal,
    is_token,
    new_withdrawals,
    ranks_with_names,
    read_withdrawals,
    with_names,
    without_tokens,
    write_withdrawals,
)


def test_a_token_is_the_hmac_of_the_name_with_the_key_of_the_study():
    """Without the key nobody can try names; two studies do not share tokens."""
    first, second = new_withdrawals(), new_withdrawals()
    digest = hmac.new(bytes.fromhex(first.key), b"P1", hashlib.sha256).hexdigest()

    assert first.token("P1") == f"withdrawn-{digest[:32]}"
    assert first.token("P1") != second.token("P1")
    assert is_token(first.token("P1"))
    assert not is_token("withdrawn-P1")


def test_the_record_survives_its_file(tmp_path):
    """A killed command reads the key that it used before."""
    record = new_withdrawals()
    entry = Withdrawal(patient=record.token("P1"), day="2026-01-01", cache_files=("a", "b"))
    record = record.updated(entry).updated(entry)
    write_withdrawals(str(tmp_path), record)

    assert read_withdrawals(str(tmp_path)) == record
    assert record.of("P1") == entry
    assert record.of("P2") is None


def test_a_candidate_gets_the_name_back_from_any_folder_of_the_study(tmp_path):
    """The guard compares names; a record deep in the study is read with the key at its top."""
    record = new_withdrawals()
    write_withdrawals(str(tmp_path), record)
    folder = tmp_path / "generators" / "fold-1"
    names = ["A", record.token("P1"), record.token("P2")]

    assert with_names(str(folder), names, {"P1", "B"}) == ("A", "P1", record.token("P2"))
    assert ranks_with_names(str(folder), {record.token("P1"): 3}, {"P1"}) == {"P1": 3}
    assert without_tokens(names) == ["A"]


def test_a_record_whose_key_is_gone_is_refused(tmp_path):
    """Nobody can tell whether the generator saw a test patient."""
    name = new_withdrawals().token("P1")

    assert with_names(str(tmp_path), ["A"], {"A"}) == ("A",)
    with pytest.raises(LeakageError, match="the key of their hashes is neither"):
        with_names(str(tmp_path), [name], {"P1"})
