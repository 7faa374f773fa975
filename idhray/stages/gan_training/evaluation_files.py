"""Files of an evaluation: verdicts, the table of images, the closest pairs, samples."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from idhray.fidelity.arrays import ImageArray
from idhray.fidelity.copies.pair_picture import closest_pairs, pair_picture
from idhray.fidelity.gate import Gate
from idhray.fidelity.realism import realism
from idhray.fidelity.settings import FidelitySettings
from idhray.gan.sample import image_grid
from idhray.images import encode
from idhray.stages.gan_training.image_sets import RealImages
from idhray.storage import exists, join, publish, publish_json, read_json

SAMPLES = 36
REALISM_FILE = "realism.json"


def write_figures(
    out: str, gate: Gate, verdict: Mapping[str, Any], images: ImageArray, train: RealImages
) -> None:
    """Write the closest pairs, samples, the table of images, and the verdict."""
    closest = closest_pairs(gate.copies, 12)
    publish(
        join(out, "pairs.png"), encode(pair_picture(images, train.images, gate.copies, closest))
    )
    publish(join(out, "samples.png"), encode(image_grid(images[:SAMPLES], columns=6)))
    publish(join(out, "images.csv"), csv_bytes([dict(row) for row in gate.images]))
    publish_json(join(out, "gate.json"), {k: v for k, v in verdict.items() if k != "images"})


def write_realism(
    out: str, images: ImageArray, train: RealImages, settings: FidelitySettings
) -> None:
    """Write the measures that need no network, with their verdict in words."""
    judged = realism(images, train.images, train.patients, settings)
    publish_json(join(out, REALISM_FILE), judged.as_dict())


def realism_of(out: str) -> dict[str, Any]:
    """Realism in a folder of an evaluation; empty for one of an earlier version."""
    path = join(out, REALISM_FILE)
    return read_json(path) if exists(path) else {}


def csv_bytes(rows: list[dict[str, Any]]) -> bytes:
    """CSV of rows, with a header."""
    text: str = pd.DataFrame(rows).to_csv(index=False)
    return text.encode()
