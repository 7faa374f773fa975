"""Copies of the patient's slides on the disks of nodes."""

import os
import socket
from collections.abc import Collection, Sequence

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
