"""Preparation of a table of images: the stage that made it, with its settings.

A model holds for images that were prepared as its training images were. So its card records the
preparation, and other images are refused.
"""

from collections.abc import Mapping
from typing import Any

from idhray.config import default_values, differences, recorded_settings, settings_dict
from idhray.errors import SettingsChangedError
from idhray.mri.patient import MriSettings
from idhray.slides.patches import PatchSettings
from idhray.slides.tiling_settings import TilingSettings
from idhray.stages.studies.record import STUDY_FILE
from idhray.storage import SETTINGS, exists, join, publish_json, read_json

TILING_FILE = "_tiling.json"
"""File in a PATCHES folder: preparation of the tiles that it was cut from."""
KINDS: dict[str, type[Any]] = {
    "tile_slides": TilingSettings,
    "cut_patches": PatchSettings,
    "prepare_mri": MriSettings,
}
"""Stages whose settings decide the look of an image."""
NUMBERS = ("train_per_class", "reserve_per_class", "eval_per_patient")
"""Settings of patches that decide their number alone."""


def preparation_of(images: str) -> dict[str, Any]:
    """Stage and settings of a table of images; of patches also those of their tiles.

    Args:
        images: Folder of a PATCHES, TILES or SLICES table.

    Returns:
        `stage`, empty for a table of another program; `settings`; for patches `tiles`, with the
        same two entries, if the folder records them.
    """
    recorded = read_json(join(images, SETTINGS)) if exists(join(images, SETTINGS)) else {}
    stage = str(recorded.get("stage", ""))
    if stage not in KINDS:
        return {"stage": stage, "settings": {}}
    values = settings_dict(recorded_settings(KINDS[stage], recorded))
    prepared: dict[str, Any] = {"stage": stage, "settings": values}
    if stage == "cut_patches" and (tiles := _preparation_of_tiles(images)):
        prepared["tiles"] = tiles
    return prepared


def _preparation_of_tiles(patches: str) -> dict[str, Any]:
    """Preparation of the tiles of a PATCHES folder; empty if unknown.

    Patches of an earlier version do not record it. In a study they were cut from its tiles.
    """
    if exists(join(patches, TILING_FILE)):
        return read_json(join(patches, TILING_FILE))
    study = patches.rstrip("/").rpartition("/")[0]
    tiles = join(study, "tiles")
    if exists(join(study, STUDY_FILE)) and exists(join(tiles, SETTINGS)):
        return preparation_of(tiles)
    return {}


def record_tiling(patches: str, tiles: str) -> None:
    """Record in a PATCHES folder the preparation of its tiles."""
    publish_json(join(patches, TILING_FILE), preparation_of(tiles))


def refuse_other_preparation(
    images: str, model: Mapping[str, Any], other: Mapping[str, Any]
) -> None:
    """Refuse images that were prepared otherwise than the training images of a model.

    Args:
        images: Folder of the images, for the message.
        model: Preparation that the card of the model records.
        other: Preparation of the images.

    Raises:
        SettingsChangedError: naming the stage and the settings that differ.
    """
    changes = preparation_changes(model, other)
    if changes:
        raise SettingsChangedError(
            f"{images}: prepared otherwise than the images that the models were trained on "
            f"({'; '.join(changes)}); prepare them with those settings: `idhray study --apply-to` "
            "does so"
        )


def preparation_changes(model: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """One line for each setting in which two preparations differ; the number of patches is none.

    A preparation that does not record its tiles differs in no setting of them.
    """
    if not model:
        return []
    stages = model.get("stage", ""), other.get("stage", "")
    if stages[0] != stages[1]:
        return [f"made by {stages[1] or 'another program'}, not by {stages[0] or 'this one'}"]
    kind = KINDS.get(stages[0])
    defaults = {} if kind is None else default_values(kind)
    old, new = (
        {k: v for k, v in each.get("settings", {}).items() if k not in NUMBERS}
        for each in (model, other)
    )
    lines = [line.replace(": was ", " of the models ") for line in differences(old, new, defaults)]
    if "tiles" in model and "tiles" in other:
        lines += [f"tiles, {line}" for line in preparation_changes(model["tiles"], other["tiles"])]
    return lines
