"""Tiles to patches: TILES -> PATCHES, balanced over classes, patients and slides.

A stain normalization is fitted to each slide alone, on pixels of a fixed draw of its tiles.
"""

import logging
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from idhray.chance import generator, seed_for
from idhray.config import settings_dict, settings_from, settings_hash
from idhray.errors import SlideError, TableError
from idhray.images import decode, image_cell
from idhray.ledger import Fate, check_failures, counts, reason
from idhray.slides.patches import PRESETS as PRESETS
from idhray.slides.patches import PatchSettings, plan_patches
from idhray.slides.patches import cut_patches as cut_patches_of_tile
from idhray.slides.stain.normalize import Recolor, fit_stain, tissue_pixels
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.stages.runtime.mapping import Item, Outcome, map_items
from idhray.stages.runtime.options import ItemFlags
from idhray.stages.runtime.session import connect
from idhray.storage import absolute
from idhray.tables import PATCHES, TILES, read_rows, read_table

logger = logging.getLogger(__name__)

TASK_TILES = 200
"""Tiles of the slides of one task, if they are several."""
STAIN_TILES = 24
"""Tiles that a slide's stains are fitted on, at most."""
STAIN_PIXELS = 4096
"""Of each of them, at most."""
STAIN_LOST = "colors left as they were"
"""What the LEDGER says of a slide that no stain normalization could be fitted to."""


@dataclass(frozen=True, kw_only=True)
class CutPatchesFlags(ItemFlags):
    """Flags of `idhray cut-patches`."""

    tiles: str
    """Folder of the TILES table."""
    out: str
    """Folder of the PATCHES table."""
    settings: PatchSettings
    """How many, of what size."""
    seed: int = 0
    """Decides which places of a tile are cut."""


def cut_patches(flags: CutPatchesFlags) -> dict[str, Any]:
    """Cut the patches that networks see from the tiles of a cohort.

    `stain_fallbacks` of the result counts the slides that the stain normalization could not be
    fitted to; their patches keep their colors, and the LEDGER says why.
    """
    tiles, out = absolute(flags.tiles), absolute(flags.out)
    listed = read_table(tiles, TILES, ["patient", "idh", "split", "slide", "rank"]).to_pandas()
    plan = plan_patches(listed, flags.settings, flags.seed)
    if not plan.counts:
        raise TableError(f"{tiles}: no tile has a labeled patient; patches need labels")
    said = {
        "stage": "cut_patches",
        "tiles": seal(tiles),
        "seed": flags.seed,
        **settings_dict(flags.settings),
    }
    wanted: dict[str, dict[int, int]] = defaultdict(dict)
    for (slide, rank), count in plan.counts.items():
        wanted[slide][rank] = count
    with stage_folder(out, said, overwrite=flags.overwrite):
        connect(flags.address)
        there = {str(slide): list(own) for slide, own in listed.groupby("slide")["rank"]}
        items = [
            _item(tiles, slide, ranks, there[slide], settings=flags.settings, seed=flags.seed)
            for slide, ranks in wanted.items()
        ]
        found = map_items(
            items, cut_one, out=out, schema=PATCHES, workers=flags.workers, task_size=TASK_TILES
        )
        check_failures(out, found, flags.max_failures)
    for what, missing in plan.shortfall.items():
        logger.warning("%s: %d patches fewer than wanted, its tiles hold no more", what, missing)
    fallbacks = _stain_fallbacks(found)
    per_class = _patches_per_class(out)
    train = {name: count for name, count in per_class.items() if name.startswith("train ")}
    if len(set(train.values())) > 1:
        logger.warning("classes are not balanced, some places had too little tissue: %s", train)
    return {
        "out": out,
        **counts(found),
        "wanted": sum(plan.counts.values()),
        "shortfall": plan.shortfall,
        "per_class": per_class,
        "stain_fallbacks": len(fallbacks),
        "unlabelled_patients": len(plan.unlabeled),
    }


def _patches_per_class(out: str) -> dict[str, int]:
    """ "train mutant" -> patches there are."""
    rows = read_table(out, PATCHES, ["split", "idh"]).to_pandas()
    return {f"{split} {idh}": int(n) for (split, idh), n in rows.value_counts().items()}


def _stain_fallbacks(found: dict[str, Fate]) -> list[str]:
    """The slides that kept their colors, also told to the log."""
    slides = sorted(name for name, fate in found.items() if STAIN_LOST in fate.error)
    if slides:
        named = ", ".join(slides[:10]) + (", ..." if len(slides) > 10 else "")
        logger.warning(
            "%d of %d slides keep their colors, no stain normalization fits them (the LEDGER "
            "says why): %s",
            len(slides),
            len(found),
            named,
        )
    return slides


def cut_one(values: dict[str, Any]) -> Outcome:
    """The patches of one slide as PATCHES rows."""
    settings = settings_from(PatchSettings, values["settings"])
    wanted = dict(values["ranks"])
    recolor, note = _recoloring(values, settings)
    notes = [note] if note else []
    rows = []
    for tile in read_rows(values["tiles"], values["slide"], only=("rank", wanted)):
        cut = cut_patches_of_tile(
            decode(tile["image"]["bytes"]),
            wanted[tile["rank"]],
            settings=settings,
            seed=values["seed"],
            slide=tile["slide"],
            rank=tile["rank"],
            origin=_origin(tile),
            recolor=recolor,
        )
        rows += [
            {
                **{name: tile[name] for name in ("patient", "idh", "split", "slide", "mpp")},
                "x_l0": patch.x_l0,
                "y_l0": patch.y_l0,
                "size_l0": patch.size_l0,
                "height_l0": patch.height_l0,
                "image": image_cell(patch.image, f"{tile['slide']}_x{patch.x_l0}_y{patch.y_l0}"),
            }
            for patch in cut
        ]
    if missing := sum(wanted.values()) - len(rows):
        notes.append(f"{missing} of {sum(wanted.values())} places had too little tissue")
    return Outcome(rows=rows, status="done" if rows else "skipped", note="; ".join(notes))


def _origin(tile: dict[str, Any]) -> tuple[int, int, float, float]:
    """Where a tile lies; tables of other tools have squares only."""
    width = tile["size_l0"]
    return tile["x_l0"], tile["y_l0"], width, tile["height_l0"] or width


def _recoloring(values: dict[str, Any], settings: PatchSettings) -> tuple[Recolor | None, str]:
    """The slide's stain normalization, or why it has none where it was asked for."""
    method = settings.normalize
    if method == "none" or method == "channel_stretch":  # noqa: PLR1714 - mypy understands this one
        return None, ""
    drawn = []
    only = ("rank", values["stain_ranks"])
    for tile in read_rows(values["tiles"], values["slide"], ["rank", "image"], only=only):
        random = generator(values["seed"], "stain pixels", values["slide"], tile["rank"])
        image = decode(tile["image"]["bytes"])
        drawn.append(
            tissue_pixels(image, STAIN_PIXELS, random, min_object_px=settings.min_object_px)
        )
    try:
        return fit_stain(np.concatenate(drawn), method, settings.stain_target), ""
    except SlideError as error:
        return None, f"{STAIN_LOST}, {method}: {reason(error)}"


def _item(
    tiles: str,
    slide: str,
    ranks: dict[int, int],
    there: Collection[int],
    *,
    settings: PatchSettings,
    seed: int,
) -> Item:
    drawn = sorted(there, key=lambda rank: seed_for(seed, "stain tiles", slide, rank))
    values = {
        "slide": slide,
        "ranks": sorted(ranks.items()),
        # Of all its tiles, not of those that patches are wanted from: the colors of a slide do not
        # depend on how many patches others give.
        "stain_ranks": sorted(int(rank) for rank in drawn[:STAIN_TILES]),
        "settings": settings_dict(settings),
        "seed": seed,
    }
    return Item(
        name=slide,
        settings_hash=settings_hash(values),
        values={**values, "tiles": tiles},
        size=len(ranks),
    )
