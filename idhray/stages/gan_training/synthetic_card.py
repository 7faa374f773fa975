"""Data card of a SYNTHETIC table, from its records, its ledger and the evaluation of its generator.

TABLE/_data_card.json  for programs
TABLE/_data_card.md    for people; both are written when the table is made or judged
"""

import io
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from idhray.gan.checkpoint import MODEL
from idhray.generator_records import GateRecord, GeneratorRecord, read_gate, read_generator
from idhray.ledger import Fate, fates, tally
from idhray.report.data_card import CARD_NAME, INTENDED_USE, NOT_INTENDED, card_markdown
from idhray.stages.gan_training.evaluation_files import realism_of
from idhray.stages.runtime.folder import seal
from idhray.stages.runtime.origins import origin_text, origins, packages
from idhray.stages.studies.sample_images import images_of_table
from idhray.storage import SETTINGS, exists, join, publish, publish_json, read_bytes, read_json

CONGRUENCE = {"fid": "FID", "kid": "KID"}
COVERAGE = {"precision": "precision", "recall": "recall", "coverage": "coverage"}
COPY_MARK = "left out: "
LIMITS = (
    "Synthetic images repeat what the training patients showed; they add no patients.",
    "Copies were looked for by pixels and by features of one network; others may find more.",
    "Nobody looked at each image: plausibility is not judged.",
)


def write_synthetic_card(table: str, *, checkpoint: str = "", evaluation: str = "") -> None:
    """Write the card of a finished table beside it.

    Args:
        table: Folder of the SYNTHETIC table.
        checkpoint: Folder of the generator's checkpoint; empty if it is elsewhere.
        evaluation: Folder of its evaluation; empty for the one that the table records.
    """
    card = synthetic_card(table, checkpoint=checkpoint, evaluation=evaluation)
    publish_json(join(table, f"{CARD_NAME}.json"), card)
    publish(join(table, f"{CARD_NAME}.md"), card_markdown(card))


def synthetic_card(table: str, *, checkpoint: str = "", evaluation: str = "") -> dict[str, Any]:
    """Content of the card: plain values by section; None for what was not measured."""
    record, gate = read_generator(table), read_gate(table)
    ledger, settings = fates(table), read_json(join(table, SETTINGS))
    model = _model(checkpoint)
    folder = evaluation or (gate.evaluation if gate else "")
    figures = _figures(folder, "fidelity.csv")
    judged = _json(folder, "gate.json")
    images = tally(ledger)["rows"]
    about = _about(table, record, ledger, images)
    return {
        "title": f"Data card: {images} synthetic images, IDH {record.idh}",
        "summary": f"{images} images of {about['side_px']} px, IDH {record.idh}, made by a "
        f"generator that was trained on {len(record.patients)} patients"
        + (" (declared)" if record.source == "declared" else "")
        + f"; test for copies and diversity: {gate.state if gate else 'not made'}.",
        "about": about,
        "intended_use": [INTENDED_USE],
        "not_intended": list(NOT_INTENDED),
        "generator": _generator(record, settings, model),
        "training_data": _training_data(record, model),
        **_criteria(figures, judged, folder, gate, ledger),
        "limits": [*LIMITS, *_limits(record, gate, figures)],
    }


def _about(
    table: str, record: GeneratorRecord, ledger: Mapping[str, Fate], images: int
) -> dict[str, Any]:
    first = next(iter(images_of_table(table, 1, {})), None)
    return {
        "images": images,
        "IDH_status": record.idh,
        "side_px": None if first is None else int(first.shape[0]),
        "channels": None if first is None else int(first.shape[2]) if first.ndim == 3 else 1,
        "seal": seal(table),
        "made_with": [f"idhray {version}" for version in packages(table)],
        "made": origin_text(origins(ledger)),
    }


def _model(checkpoint: str) -> dict[str, Any]:
    path = join(checkpoint, MODEL) if checkpoint else ""
    return read_json(path) if path and exists(path) else {}


def _generator(
    record: GeneratorRecord, settings: Mapping[str, Any], model: Mapping[str, Any]
) -> dict[str, Any]:
    shown = model.get("images_shown")
    return {
        "name": record.generator,
        "classes": "one network of both classes" if record.conditional else "one class",
        "architecture": model.get("architecture"),
        "kimg": None if shown is None else shown / 1000,
        "fold": record.fold,
        "training_seed": record.seed,
        "seed_of_images": settings.get("seed"),
        "truncation_psi": settings.get("psi"),
        "weights": record.weights,
    }


def _training_data(record: GeneratorRecord, model: Mapping[str, Any]) -> dict[str, Any]:
    declared = record.source == "declared"
    return {
        "patients": len(record.patients),
        "images": model.get("images"),
        **(
            {"images_of_this_class": model.get("images_by_class", {}).get(record.idh)}
            if record.conditional
            else {}
        ),
        "list_of_patients": f"declared by {record.declared_by} ({record.declared_on})"
        if declared
        else "recorded at the training",
        "unknown_ancestors": list(record.ancestry),
    }


def _criteria(
    figures: pd.DataFrame,
    judged: Mapping[str, Any],
    folder: str,
    gate: GateRecord | None,
    ledger: Mapping[str, Fate],
) -> dict[str, Any]:
    """Figures of the seven criteria."""
    numbers = judged.get("figures", {})
    diversity = numbers.get("diversity", {})
    left_out = sum(fate.error.count(COPY_MARK) for fate in ledger.values())
    realism = realism_of(folder) if folder else {}
    return {
        "congruence": {
            **{title: _beside_floor(figures, name) for name, title in CONGRUENCE.items()},
            "plain_statistics": realism.get("sentence"),
        },
        "coverage": {
            **{title: _beside_floor(figures, name) for name, title in COVERAGE.items()},
            "mean_distance_over_that_of_real": diversity.get("mean_distance_ratio"),
            "Vendi_score_over_that_of_real": diversity.get("vendi_ratio"),
        },
        "constraint": {"plausibility": "not judged by a program; readers may judge it"},
        "completeness": {
            "failed_inputs": tally(dict(ledger))["failed"],
            "copies_left_out": left_out,
        },
        "compliance": {
            "test_for_copies_and_diversity": gate.state if gate else None,
            "reasons": [*gate.reasons, *gate.not_judged] if gate else None,
            "copies_among_judged_images": numbers.get("copies"),
            "judged_images": numbers.get("generated"),
        },
        "comprehension": {
            "records": "_generator.json, _gate.json, _settings.json and _ledger beside the table",
        },
        "consistency": {
            title: _range(figures, name) for name, title in {**CONGRUENCE, **COVERAGE}.items()
        },
    }


def _figures(folder: str, name: str) -> pd.DataFrame:
    """Fidelity of all channels together, by metric; empty if it was not measured."""
    path = join(folder, name) if folder else ""
    if not path or not exists(path):
        return pd.DataFrame()
    table = pd.read_csv(io.BytesIO(read_bytes(path)))
    return table[table["channel"] == table["channel"].iloc[-1]].set_index("metric")


def _json(folder: str, name: str) -> dict[str, Any]:
    path = join(folder, name) if folder else ""
    return read_json(path) if path and exists(path) else {}


def _number(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _beside_floor(figures: pd.DataFrame, metric: str) -> dict[str, float | None] | None:
    """Value of the images and of real images of other patients."""
    if metric not in figures.index:
        return None
    row = figures.loc[metric]
    return {"synthetic": _number(row["value"]), "real_floor": _number(row["floor"])}


def _range(figures: pd.DataFrame, metric: str) -> dict[str, float | None] | None:
    """Smallest and largest value over the draws."""
    if metric not in figures.index:
        return None
    row = figures.loc[metric]
    return {"from": _number(row["value_min"]), "to": _number(row["value_max"])}


def _limits(record: GeneratorRecord, gate: GateRecord | None, figures: pd.DataFrame) -> list[str]:
    """Limits that this table has beside those of all."""
    limits = []
    if record.source == "declared":
        limits.append("The training patients are declared by a person, not recorded.")
    if record.remaining is not None:
        limits.append("Training patients have withdrawn since; the images were made before.")
    if gate is None:
        limits.append("Copies and diversity were not tested: run `idhray evaluate-gan`.")
    if len(figures):
        first = figures.iloc[0]
        limits.append(
            f"Fidelity rests on {first['n']} images of {first['n_patients']} patients and features "
            f"of the {first['extractor']}."
        )
    return limits
