"""Curves of a training as a TensorBoard event file: `tensorboard --logdir OUT`.

OUT/tensorboard/events.out.tfevents.idhray is written anew from the history at each report, so that
it also fits a history from which a return to an earlier checkpoint has removed entries.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary

from idhray.exchange.tfrecord import FOOTER, masked_crc32c
from idhray.storage import join, publish

FOLDER = "tensorboard"
FILE = "events.out.tfevents.idhray"
VERSION = "brain.Event:2"
GROUPS = {
    "fidelity": ("kid", "precision", "recall", "coverage"),
    "loss": ("d_loss", "g_loss", "r1", "path_length", "score_gap"),
}
"""Group of curves -> beginnings of the names in the history."""


def publish_events(out: str, history: Iterable[Mapping[str, Any]]) -> None:
    """Write the event file of a training folder; steps are images shown."""
    publish(join(out, FOLDER, FILE), event_bytes(history, time.time()))


def event_bytes(history: Iterable[Mapping[str, Any]], now: float) -> bytes:
    """Content of an event file.

    Args:
        history: Entries with `kimg` and numbers by name.
        now: Time of all events in seconds since 1970.
    """
    events = [Event(wall_time=now, file_version=VERSION)]
    for entry in history:
        values = [
            Summary.Value(tag=_tag(name), simple_value=float(value))
            for name, value in entry.items()
            if isinstance(value, int | float) and not isinstance(value, bool) and name != "kimg"
        ]
        step = round(entry["kimg"] * 1000)
        events.append(Event(wall_time=now, step=step, summary=Summary(value=values)))
    return b"".join(_record(event.SerializeToString()) for event in events)


def _tag(name: str) -> str:
    """Name of a curve, in its group."""
    for group, beginnings in GROUPS.items():
        if name.startswith(beginnings):
            return f"{group}/{name}"
    return f"training/{name}"


def _record(data: bytes) -> bytes:
    length = len(data).to_bytes(8, "little")
    return b"".join(
        (length, FOOTER.pack(masked_crc32c(length)), data, FOOTER.pack(masked_crc32c(data)))
    )
