"""Copies of the patient's slides on the disks of nodes."""

import os
import socket
from collections.abc import Collection, Mapping, Sequence

from idhray.ledger import ledger_table
from idhray.slide_cache.cache import CACHE_FILE, Cache
from idhray.stages.runtime.stage_folders import StageFolder
from idhray.storage import exists, join, read_json
from idhray.withdrawals import Withdrawals


def slide_caches(folders: Sequence[StageFolder], inputs: Collection[str]) -> list[str]:
    """Nodes that may hold copies of a patient's slides, as NODE:FOLDER.

    Args:
        folders: Folders of the study.
        inputs: Names of the patient's slides in the ledgers.
    """
    places = set[str]()
    for folder in folders:
        path = join(folder.path, CACHE_FILE)
        if not exists(path):
            continue
        cache = read_json(path)["folder"]
        rows = ledger_table([folder.path]).to_pylist()
        places |= {f"{row['host']}:{cache}" for row in rows if row["input"] in inputs}
    return sorted(places)


def cleaned_caches(
    places: Collection[str], files: Collection[str], withdrawals: Withdrawals
) -> list[str]:
    """Remove the copies on this node; the places that still may hold some.

    Args:
        places: Nodes with their cache folders, as NODE:FOLDER.
        files: Keyed hashes of the names of the patient's slides.
        withdrawals: The key of these hashes.
    """
    remaining = []
    for place in sorted(places):
        node, _, folder = place.partition(":")
        if node != socket.gethostname():
            remaining.append(place)
        elif os.path.isdir(folder):
            cache = Cache(folder, budget_bytes=1)
            if cache.remove_copies(lambda name: withdrawals.token(name) in files):
                remaining.append(place)
    return remaining


def joined_studies(study: str, settings: Mapping[str, object]) -> list[str]:
    """Other studies whose outputs this study reuses, or that reuse its outputs."""
    names = set[str]()
    for file in ("_reuse.json", "_study.json"):
        path = join(study, file)
        if exists(path):
            names |= set(_folders(read_json(path).get("reuse")))
            names |= set(_folders(read_json(path).get("reused_by")))
    names |= set(_folders(settings.get("reuse")))
    return sorted(names - {study})


def _folders(value: object) -> list[str]:
    """Paths in a record: one path, a list of paths, or paths by name."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [path for each in value.values() for path in _folders(each)]
    return [path for each in value for path in _folders(each)] if isinstance(value, list) else []
