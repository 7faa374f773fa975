"""Withdrawn patients: records hold a keyed hash in place of the name; the guard still matches it.

`_withdrawn.json` of a study holds the key. Whoever deletes that file makes the hashes meaningless;
generators of withdrawn patients are then refused, since nobody can tell whom they saw.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from idhray.errors import LeakageError
from idhray.storage import absolute, exists, join, publish_json, read_json

WITHDRAWN_FILE = "_withdrawn.json"
PREFIX = "withdrawn-"
KEY_BYTES = 32
_TOKEN = re.compile(rf"{PREFIX}[0-9a-f]{{32}}")


@dataclass(frozen=True, kw_only=True)
class Withdrawal:
    """One withdrawn patient of a study."""

    patient: str
    """Keyed hash of the patient, see `Withdrawals.token`."""
    day: str
    """Day of the command, UTC."""
    finished: bool = False
    """True if no file of the study holds the patient any more."""
    models_removed: bool = False
    """True if everything that descends from the patient was removed, too."""
    cache_files: tuple[str, ...] = ()
    """Keyed hashes of the names of the patient's slides, by which copies on nodes are found."""
    open_caches: tuple[str, ...] = ()
    """Nodes whose slide cache may hold copies, as NODE:FOLDER."""
    descendants: tuple[Mapping[str, Any], ...] = ()
    """Generators, images, classifiers and predictions that descend from the patient, with the
    digests by which they are recognized."""


@dataclass(frozen=True, kw_only=True)
class Withdrawals:
    """Content of `_withdrawn.json`."""

    key: str
    """Secret of the study, 64 hex digits."""
    withdrawals: tuple[Withdrawal, ...] = ()

    def token(self, name: str) -> str:
        """Keyed hash (HMAC-SHA256, 32 hex digits) that stands for a name in the records."""
        digest = hmac.new(bytes.fromhex(self.key), name.encode(), hashlib.sha256).hexdigest()
        return f"{PREFIX}{digest[:32]}"

    def of(self, patient: str) -> Withdrawal | None:
        """Withdrawal of a patient; None if there is none."""
        token = self.token(patient)
        return next((each for each in self.withdrawals if each.patient == token), None)

    def updated(self, withdrawal: Withdrawal) -> "Withdrawals":
        """The same with one withdrawal added, or replaced."""
        others = tuple(w for w in self.withdrawals if w.patient != withdrawal.patient)
        return replace(self, withdrawals=(*others, withdrawal))


def new_withdrawals() -> Withdrawals:
    """Withdrawals of a study without any, with a new key."""
    return Withdrawals(key=secrets.token_hex(KEY_BYTES))


def read_withdrawals(folder: str) -> Withdrawals | None:
    """Withdrawals of a study; None if there is no record of them."""
    path = join(folder, WITHDRAWN_FILE)
    if not exists(path):
        return None
    values = read_json(path)
    entries = []
    for entry in values["withdrawals"]:
        lists = {name: tuple(entry[name]) for name in ("cache_files", "open_caches", "descendants")}
        entries.append(Withdrawal(**{**entry, **lists}))
    return Withdrawals(key=values["key"], withdrawals=tuple(entries))


def write_withdrawals(folder: str, withdrawals: Withdrawals) -> None:
    """Write the record of the withdrawals of a study."""
    publish_json(join(folder, WITHDRAWN_FILE), asdict(withdrawals))


def is_token(name: str) -> bool:
    """True for the keyed hash of a withdrawn patient."""
    return _TOKEN.fullmatch(name) is not None


def with_names(folder: str, names: Iterable[str], candidates: Collection[str]) -> tuple[str, ...]:
    """Names of a record, where a withdrawn patient who is a candidate has his name back.

    Args:
        folder: Folder of the record; the key lies in it or in a folder above it.
        names: Patients of the record, some of them as keyed hashes.
        candidates: Patients who must be recognized, such as those of a table.

    Raises:
        LeakageError: a patient is withdrawn, and the key is not there.
    """
    listed = tuple(names)
    if not any(map(is_token, listed)):
        return listed
    by_token = _by_token(folder, candidates)
    return tuple(by_token.get(name, name) for name in listed)


def ranks_with_names(
    folder: str, ranks: Mapping[str, int], candidates: Collection[str]
) -> dict[str, int]:
    """`with_names` for the keys of a mapping."""
    names = with_names(folder, ranks, candidates)
    return dict(zip(names, ranks.values(), strict=True))


def _by_token(folder: str, candidates: Iterable[str]) -> dict[str, str]:
    """Keyed hash -> candidate, by the keys of all studies that the folder lies in."""
    keys = [record for place in _parents(folder) if (record := read_withdrawals(place))]
    if not keys:
        raise LeakageError(
            f"{folder}: trained on patients who withdrew, but {WITHDRAWN_FILE} with the key of "
            "their hashes is neither in it nor in a folder above it; copy that file from the "
            "study, or train anew"
        )
    return {record.token(name): name for record in keys for name in candidates}


def _parents(folder: str) -> Iterator[str]:
    """The folder and the folders above it, nearest first."""
    path = absolute(folder).rstrip("/")
    start = path.index("://") + 3 if "://" in path else 0
    while path and len(path) > start:
        yield path
        path = path.rpartition("/")[0] if "/" in path[start:] else ""


def without_tokens(names: Sequence[str]) -> list[str]:
    """Names of patients who have not withdrawn."""
    return [name for name in names if not is_token(name)]
