"""Order of the generators of an experiment, which decides the repeats that each of them serves.

The order of the command's arguments decides nothing: a first run sorts the generators, a later run
takes the order that the experiment records, and puts new ones behind.
"""

from collections.abc import Sequence
from typing import Any

from idhray.generator_records import read_generator
from idhray.stages.experiment.outcome import GENERATORS_FILE
from idhray.storage import exists, join, read_json

ORDER = "order"


def ordered_generators(folders: Sequence[str], out: str | None) -> list[str]:
    """SYNTHETIC folders in the order in which repeats take them.

    An experiment of an earlier version took the order of the arguments, and keeps it.

    Args:
        folders: SYNTHETIC folders in any order.
        out: Folder of the experiment, if an earlier run is continued.
    """
    recorded = recorded_entries(out) if out else None
    if recorded and not all(ORDER in entry for entry in recorded):
        return list(folders)
    places = {_key(entry): entry[ORDER] for entry in recorded or []}

    def place(folder: str) -> tuple[int, int, int, str, str]:
        record = read_generator(folder)
        known_place = places.get(record.weights or record.generator, len(places))
        return (
            known_place,
            record.fold or 0,
            record.seed or 0,
            record.weights or record.generator,
            folder,
        )

    return sorted(folders, key=place)


def recorded_entries(out: str) -> list[dict[str, Any]] | None:
    """Generators that an experiment records; None before its first run."""
    path = join(out, GENERATORS_FILE)
    return read_json(path)["generators"] if exists(path) else None


def _key(entry: dict[str, Any]) -> str:
    return str(entry.get("weights") or entry["generator"])
