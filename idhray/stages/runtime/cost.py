"""Cost of making the content of a folder anew, from the times that it records."""

from collections.abc import Mapping
from typing import Any

from idhray.errors import IdhrayError
from idhray.ledger import fates
from idhray.storage import exists, join, read_json

HISTORY = "_history.json"


def cost_text(out: str, values: Mapping[str, Any]) -> str:
    """Words that follow a refusal: time that the content would take again; "" if it is unknown.

    Args:
        out: Folder of a stage.
        values: Values of the identity of the run that was refused.
    """
    try:
        rate, kimg = training_rate(out), values.get("total_kimg")
        if rate and kimg:
            hours = duration(kimg * 1000 / rate)
            return f"; anew, {kimg:g} kimg take about {hours} at {rate:.3g} images/s, as before"
        seconds = sum(fate.seconds for fate in fates(out).values())
    except IdhrayError:  # a refusal must not fail for a damaged record
        return ""
    return f"; what is there took {duration(seconds)} of work" if seconds >= 1 else ""


def training_rate(out: str) -> float | None:
    """Mean images per second of a training of a GAN, from its history; None without one."""
    path = join(out, HISTORY)
    entries = read_json(path)["history"] if exists(path) else []
    seconds, before = 0.0, 0.0
    for entry in entries:
        if not entry.get("images_per_second") or "kimg" not in entry:
            return None
        seconds += (entry["kimg"] - before) * 1000 / entry["images_per_second"]
        before = entry["kimg"]
    return before * 1000 / seconds if seconds else None


def duration(seconds: float) -> str:
    """A time in the largest unit that gives a number of 1 or more: `3.2 hours`."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"
