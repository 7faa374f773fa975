"""Both papers' tables recomputed from what they print, cell by cell."""

from typing import Any

from idhray.stages.runtime.folder import stage_folder
from idhray.stats.replicate.cells import tally_of
from idhray.stats.replicate.paper import BLOCKS, Paper
from idhray.stats.replicate.render import csv_of, json_of, text_of
from idhray.storage import join, publish, publish_json

PRESETS = {"park2021": Paper(name="park2021"), "liu2020": Paper(name="liu2020")}

OWNS = ("replicate.csv", "replicate.json")


def replicate(
    settings: Paper, *, out: str | None = None, overwrite: bool = False
) -> dict[str, Any]:
    """Print every published cell beside the recomputed one, with what reproduces it.

    Args:
        settings: Which paper.
        out: Folder for replicate.csv and replicate.json; without it nothing is written.
        overwrite: Start anew where the folder holds another paper.
    """
    blocks = BLOCKS[settings.name]()
    if out is not None:
        said = {"stage": "replicate", "paper": settings.name}
        with stage_folder(out, said, overwrite=overwrite, owns=OWNS):
            publish(join(out, "replicate.csv"), csv_of(blocks).encode())
            publish_json(join(out, "replicate.json"), json_of(settings.name, blocks))
    counts = tally_of([cell for block in blocks for cell in block.cells])
    written = {"out": out} if out is not None else {}
    return {
        "text": text_of(blocks, settings.width),
        "paper": settings.name,
        **written,
        "cells": sum(counts.values()),
        **{status.replace(" ", "_"): number for status, number in counts.items()},
    }
