"""Tiles to patches: TILES -> PATCHES, balanced over classes, patients and slides."""

import logging
from collections import defaultdict
from typing import Any

from idhray.config import settings_dict, settings_from, settings_hash
from idhray.errors import TableError
from idhray.images import decode, image_cell
from idhray.ledger import check_failures, counts
from idhray.slides.patches import PRESETS as PRESETS
from idhray.slides.patches import PatchSettings, plan_patches
from idhray.slides.patches import cut_patches as cut_patches_of_tile
from idhray.stages.folder import seal, stage_folder
from idhray.stages.mapping import Item, Outcome, map_items
from idhray.stages.session import connect
from idhray.storage import absolute
from idhray.tables import PATCHES, TILES, part_path, read_part, read_table

logger = logging.getLogger(__name__)


def cut_patches(
    tiles: str,
    out: str,
    settings: PatchSettings,
    *,
    seed: int = 0,
    workers: int | None = None,
    address: str | None = None,
    max_failures: int = 0,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Cut the patches that networks see from the tiles of a cohort.

    Args:
        tiles: Folder of the TILES table.
        out: Folder of the PATCHES table.
        settings: How many, of what size.
        seed: Decides which places of a tile are cut.
        workers: Slides at a time; as many as there are CPUs when not given.
        address: Of a running Ray cluster; Ray starts on this machine when not given.
        max_failures: Slides that may fail before the command does; the others are done anyway.
        overwrite: Start anew where the folder was made with other settings.
    """
    tiles, out = absolute(tiles), absolute(out)
    names = [name for name in TILES.names if name != "image"]
    listed = read_table(tiles, TILES, names).to_pandas()
    plan = plan_patches(listed, settings, seed)
    if not plan.counts:
        raise TableError(f"{tiles}: no tile has a labelled patient; patches need labels")
    said = {
        "stage": "cut_patches",
        "tiles": seal(tiles),
        "seed": seed,
        **settings_dict(settings),
    }
    wanted: dict[str, dict[int, int]] = defaultdict(dict)
    for (slide, rank), count in plan.counts.items():
        wanted[slide][rank] = count
    with stage_folder(out, said, overwrite=overwrite):
        connect(address)
        items = [_item(tiles, slide, ranks, settings, seed) for slide, ranks in wanted.items()]
        found = map_items(items, cut_one, out=out, schema=PATCHES, workers=workers)
        check_failures(out, found, max_failures)
    for what, missing in plan.shortfall.items():
        logger.warning("%s: %d patches fewer than wanted, its tiles hold no more", what, missing)
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
        "unlabelled_patients": len(plan.unlabelled),
    }


def _patches_per_class(out: str) -> dict[str, int]:
    """ "train mutant" -> patches there are."""
    rows = read_table(out, PATCHES, ["split", "idh"]).to_pandas()
    return {f"{split} {idh}": int(n) for (split, idh), n in rows.value_counts().items()}


def cut_one(values: dict[str, Any]) -> Outcome:
    """The patches of one slide as PATCHES rows."""
    settings = settings_from(PatchSettings, values["settings"])
    wanted = dict(values["ranks"])
    rows = []
    for tile in read_part(part_path(values["tiles"], values["slide"])).to_pylist():
        if not (count := wanted.get(tile["rank"], 0)):
            continue
        cut = cut_patches_of_tile(
            decode(tile["image"]["bytes"]),
            count,
            settings=settings,
            seed=values["seed"],
            slide=tile["slide"],
            rank=tile["rank"],
            origin=(tile["x_l0"], tile["y_l0"], tile["size_l0"]),
        )
        rows += [
            {
                **{name: tile[name] for name in ("patient", "idh", "split", "slide", "mpp")},
                "x_l0": patch.x_l0,
                "y_l0": patch.y_l0,
                "size_l0": patch.size_l0,
                "image": image_cell(patch.image, f"{tile['slide']}_x{patch.x_l0}_y{patch.y_l0}"),
            }
            for patch in cut
        ]
    missing = sum(wanted.values()) - len(rows)
    note = f"{missing} of {sum(wanted.values())} places had too little tissue" if missing else ""
    return Outcome(rows=rows, status="done" if rows else "skipped", note=note)


def _item(
    tiles: str, slide: str, ranks: dict[int, int], settings: PatchSettings, seed: int
) -> Item:
    values = {
        "slide": slide,
        "ranks": sorted(ranks.items()),
        "settings": settings_dict(settings),
        "seed": seed,
    }
    return Item(name=slide, settings_hash=settings_hash(values), values={**values, "tiles": tiles})
