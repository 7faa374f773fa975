"""The section of a report on a generator that `evaluate-gan` judged."""

import io
import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from idhray.ancestry import ancestor_of_record, joined_remarks
from idhray.generator_records import gate_state, read_generator
from idhray.report.content import Picture
from idhray.report.judgment_figures import history_figure
from idhray.stages.gan_training.evaluation_files import realism_of
from idhray.storage import exists, join, read_bytes, read_json

SHOWN = {"fid": "FID", "kid": "KID", "precision": "Precision", "coverage": "Coverage"}
LOSSES = {"d_loss": "discriminator", "g_loss": "generator"}
SHOWN_GANS = 2
"""Generators whose training is drawn: the first pair."""
CARDS_NOTE = "Each table of synthetic images has a data card, report/data-card-*.md."
UNJUDGED = "Whether the generators copied training images was not tested here."


def evaluation_figures(folder: str) -> dict[str, str]:
    """Name -> number: fidelity with that of real patients in brackets, copies, verdict."""
    if not exists(join(folder, "gate.json")):
        return {}
    table = pd.read_csv(io.BytesIO(read_bytes(join(folder, "fidelity.csv"))))
    last = table[table["channel"] == table["channel"].iloc[-1]].set_index("metric")
    figures = {
        f"{title} (of real patients)": f"{_number(last.loc[name, 'value'])} "
        f"({_number(last.loc[name, 'floor'])})"
        for name, title in SHOWN.items()
        if name in last.index
    }
    if judged := realism_of(folder):
        figures["By plain statistics"] = judged["verdict"]
    gate = read_json(join(folder, "gate.json"))
    counts = gate["figures"]
    figures["Copies of training images"] = f"{counts['copies']} of {counts['generated']}"
    figures["Test for copies and diversity"] = gate_state(
        passed=gate["passed"], not_judged=gate["notes"]
    )
    return figures


def evaluation_note(folder: str, name: str) -> str:
    """Note on the features and images behind the figures, and on failed tests; may be empty."""
    if not exists(join(folder, "gate.json")):
        return ""
    table = pd.read_csv(io.BytesIO(read_bytes(join(folder, "fidelity.csv"))))
    row = table.iloc[-1]
    gate = read_json(join(folder, "gate.json"))
    failed = f" The test failed: {' '.join(gate['reasons'])}" if gate["reasons"] else ""
    return (
        f" {name}: features of the {row['extractor']}, {row['n']} images of {row['n_patients']} "
        f"patients a side ({row['channel']}), beside the same between real patients."
        f"{failed} {' '.join(gate['notes'])}".rstrip()
    )


def ancestry_note(folders: Sequence[str]) -> str:
    """Sentences on what is unknown of the ancestors of generators; may be empty.

    Args:
        folders: SYNTHETIC folders.
    """
    records = [ancestor_of_record(folder, read_generator(folder)) for folder in folders]
    remarks = joined_remarks(records)
    return f" {' '.join(remarks)}" if remarks else ""


def evaluation_limits(folders: dict[str, str]) -> list[str]:
    """Limits that readers must know.

    Args:
        folders: Evaluation folders by the name of the generator.
    """
    limits = []
    for name, folder in folders.items():
        if not exists(join(folder, "gate.json")):
            return [UNJUDGED]
        gate = read_json(join(folder, "gate.json"))
        if (judged := realism_of(folder)).get("verdict") == "far from real":
            limits.append(f"Images of {name}: {judged['sentence']}")
        if not gate["passed"]:
            limits.append(
                f"The generator of {name} failed its test for copies and diversity; its images "
                f"were used all the same. {' '.join(gate['reasons'])}"
            )
    limits.append(
        "Copies were looked for by pixels and features among the images of training; "
        "limits were set on real images of different patients, not proven on every GAN."
    )
    return limits


def pairs_picture(folder: str, name: str, colors: str = "") -> list[Picture]:
    """The closest pairs of a generator, if it was judged."""
    path = join(folder, "pairs.png")
    if not exists(path):
        return []
    return [
        Picture(
            title=f"Generated images of {name} nearest to training images",
            data=read_bytes(path),
            alt="Triples of a generated image, its nearest training image and their difference",
            caption="Generated image, nearest training image, difference; the nearest of those "
            f"that were judged first. {colors}".rstrip(),
        )
    ]


def walk_picture(folder: str, name: str) -> list[Picture]:
    """Images between pairs of latents, if the generator was judged."""
    path = join(folder, "walk.png")
    if not exists(path):
        return []
    return [
        Picture(
            title=f"Images of {name} between pairs of latents",
            data=read_bytes(path),
            alt="Rows of generated images that change step by step from one to another",
            caption="Sudden jumps between neighbors are a sign of copied training images.",
        )
    ]


def history_pictures(gans: dict[str, str]) -> list[Picture]:
    """Fidelity and losses of the generators over their training.

    Args:
        gans: Folders of the checkpoints by the name of the generator; the first `SHOWN_GANS`.
    """
    fidelity: dict[str, list[tuple[float, float]]] = {}
    losses: dict[str, list[tuple[float, float]]] = {}
    floors: dict[str, list[tuple[float, float, float]]] = {}
    for name, folder in list(gans.items())[:SHOWN_GANS]:
        path = join(folder, "_history.json")
        if not exists(path):
            continue
        entries = read_json(path)["history"]
        lines = {name: (fidelity, "kid")}
        lines |= {f"{name}, {title}": (losses, key) for key, title in LOSSES.items()}
        for title, (target, key) in lines.items():
            points = [(e["kimg"], e[key]) for e in entries if e.get(key) is not None]
            if len(points) > 1:
                target[title] = points
        ends = ("kimg", "kid_floor_min", "kid_floor_max")
        measured = [e for e in entries if all(e.get(key) is not None for key in ends)]
        floors[name] = [tuple(e[key] for key in ends) for e in measured]
    if not fidelity and not losses:
        return []
    return [
        Picture(
            title="Training of the generators",
            data=history_figure(fidelity, losses, floors),
            alt="Fidelity and losses of the generators against the real images shown to them",
            caption="KID compares generated with training images; lower is better. Shaded: the "
            "floor, the same distance between real images of different patients, over its draws.",
        )
    ]


def _number(value: Any) -> str:
    return "-" if not math.isfinite(value) else f"{value:.3g}"
