"""Versions and days by which the parts of a folder were made."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idhray.ledger import Fate
from idhray.storage import PROVENANCE, exists, join, read_json

UNKNOWN_DAY = "an unknown day"


@dataclass(frozen=True, kw_only=True, order=True)
class Origin:
    """Inputs of a folder that were done by one version on one day."""

    version: int
    """Version of the stage's results, see `versions.py`."""
    day: str
    """Day, UTC; empty if the version did not record it."""
    inputs: int


def origins(fates: Mapping[str, Fate]) -> list[Origin]:
    """Numbers of inputs by version and day, the oldest first.

    Args:
        fates: Ledger of a folder.
    """
    numbers = Counter((fate.stage_version, fate.day) for fate in fates.values())
    return sorted(Origin(version=v, day=day, inputs=n) for (v, day), n in numbers.items())


def packages(folder: str) -> list[str]:
    """Versions of the package that a folder was begun and continued with, such as `0.1.0 3f2a91c`.

    Args:
        folder: Output folder of a stage.
    """
    path = join(folder, PROVENANCE)
    begun: dict[str, Any] = read_json(path) if exists(path) else {}
    runs = [begun, *begun.get("continued_with", [])]
    names = [f"{run['idhray']} {run.get('commit', '')[:7]}".strip() for run in runs if run]
    return list(dict.fromkeys(names))


def origin_text(listed: list[Origin]) -> str:
    """Numbers of inputs by version and days, in words; empty for none."""
    texts = []
    for version in sorted({origin.version for origin in listed}):
        same = [origin for origin in listed if origin.version == version]
        days = sorted(origin.day for origin in same if origin.day)
        number = sum(origin.inputs for origin in same)
        when = UNKNOWN_DAY if not days else days[0]
        when += f" to {days[-1]}" if days and days[-1] != days[0] else ""
        texts.append(f"{number} by version {version} of the stage on {when}")
    return "; ".join(texts)


def mixture(folder: str, fates: Mapping[str, Fate]) -> str:
    """Line on a folder whose parts are of several versions; empty for one version.

    Args:
        folder: Output folder of a stage.
        fates: Its ledger.
    """
    listed, names = origins(fates), packages(folder)
    several = len({origin.version for origin in listed}) > 1
    texts = [origin_text(listed)] if several else []
    texts += [f"made with idhray {', then '.join(names)}"] if len(names) > 1 else []
    return "; ".join(texts)
