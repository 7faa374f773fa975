"""Tiles to patches: TILES -> PATCHES, balanced over classes, patients and slides.

A stain normalization is fitted to each slide separately, on pixels of a fixed draw of its tiles.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from idhray.chance import generator, seed_for
from idhray.cohorts.folds import folds_hash, read_folds
from idhray.cohorts.manifest import LABELS
from idhray.config import Identity, identity_of, recorded_values, settings_hash
from idhray.errors import SlideError, TableError
from idhray.fidelity.copies.near_duplicates import near_duplicates, refuse_near_duplicates
from idhray.images import decode, image_cell
from idhray.leakage import patient_splits, refuse_shared_images
from idhray.ledger import Fate, check_failures, reason, tally
from idhray.slides.patch_plan import PatchPlan, TileKey, plan_patches
from idhray.slides.patches import PRESETS as PRESETS
from idhray.slides.patches import Patch, PatchSettings, patches_of_tile
from idhray.slides.stain.normalize import Recolor, fit_stain, tissue_pixels
from idhray.stages.experiment.preparation import record_tiling
from idhray.stages.runtime.contents import contents_of_input, part_contents
from idhray.stages.runtime.dry_run import dry_run_result
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.stages.runtime.items import Item, Outcome
from idhray.stages.runtime.mapping import map_items
from idhray.stages.runtime.options import TableFlags
from idhray.stages.runtime.resuming import FOLLOW
from idhray.stages.runtime.session import connect
from idhray.stages.runtime.state import ItemsOf, StageState, folder_state
from idhray.stages.runtime.versions import stage_version
from idhray.storage import absolute
from idhray.table_fingerprints import table_fingerprints
from idhray.table_parts import read_rows, read_table
from idhray.tables import PATCHES, TILES

logger = logging.getLogger(__name__)

TASK_TILES = 200
"""Tiles of the slides of one Ray task, if there are several slides."""
STAIN_TILES = 24
"""Most tiles that the stains of a slide are fitted to."""
STAIN_PIXELS = 4096
"""Most pixels of each of these tiles."""
STAIN_LOST = "colors left as they were"
"""Note in the ledger for a slide that no stain normalization could be fitted to."""
STAIN_LOST_TEXTS = (STAIN_LOST, "colours left as they were")
"""Texts of this note; ledgers of version 0.1 may have the second one."""


@dataclass(frozen=True, kw_only=True)
class CutPatchesFlags(TableFlags):
    """Flags of `idhray cut-patches`."""

    tiles: str
    """Folder of the TILES table."""
    out: str
    """Folder of the PATCHES table."""
    settings: PatchSettings
    """Number, size and colors of the patches."""
    folds: str | None = None
    """File of folds, from `split-cohort`. Each labeled patient then gets the largest number of
    patches that it needs in any fold. The column `split` is empty: roles depend on the fold."""
    all_patients: bool = False
    """Also cut patches of patients of unknown IDH status, as many as of a test patient. A cohort
    without any label is always cut so."""
    seed: int = 0
    """Seed of the draw of places in each tile."""


@dataclass(frozen=True, kw_only=True)
class CutTask:
    """Task of a worker: cut the patches of one slide."""

    tiles: str
    """Folder of the TILES table."""
    slide: str
    ranks: tuple[tuple[int, tuple[int, ...]], ...]
    """Rank of each tile that patches are cut from, and the ranks of its patches in the patient."""
    stain_ranks: tuple[int, ...]
    """Ranks of the tiles that the stains are fitted to."""
    settings: PatchSettings
    seed: int
    for_folds: bool = False
    """Leave `split` empty."""


def cut_patches(flags: CutPatchesFlags) -> dict[str, Any]:
    """Cut the patches that networks see from the tiles of a cohort.

    `stain_fallbacks` of the result counts the slides that no stain normalization could be fitted
    to. Their patches keep their colors, and the ledger gives the reason.
    """
    out, plan = absolute(flags.out), _plan(flags)
    if flags.dry_run:
        state = folder_state(out, plan.identity, items_of=plan.items)
        tiles, number = len(plan.patches.counts), sum(plan.patches.counts.values())
        reads, writes = [f"{tiles} tiles of {flags.tiles}"], f"{number} PATCHES at most"
        return dry_run_result(out, state, reads=reads, writes=writes, overwrite=flags.overwrite)
    _refuse_slides_of_two_patients(absolute(flags.tiles))
    with stage_folder(out, plan.identity, overwrite=flags.overwrite) as recorded:
        connect(flags.address, flags)
        record_tiling(out, absolute(flags.tiles))
        fates = map_items(
            plan.items(recorded),
            cut_one,
            out=out,
            schema=PATCHES,
            workers=flags.workers,
            task_size=TASK_TILES,
            on_change=FOLLOW[flags.update],
            version=stage_version("cut_patches"),
        )
        check_failures(out, fates, flags.max_failures)
    patches = plan.patches
    fallbacks, per_class = _stain_fallbacks(fates), _patches_per_class(out)
    lacking = missing_by_patient(patches.per_patient, _patches_per_patient(out))
    _warn_of_missing(patches.shortfall, per_class)
    if flags.folds is None and not plan.has_split:
        logger.warning(
            "%s: its tiles have no split, so each patient gets the number of a validation patient; "
            "training and prediction need a split",
            flags.tiles,
        )
    _warn_of_patients(lacking, patches.per_patient)
    return {
        "out": out,
        **tally(fates),
        "wanted": sum(patches.counts.values()),
        "shortfall": patches.shortfall | {f"patient {name}": n for name, n in lacking.items()},
        "per_class": per_class,
        "stain_fallbacks": len(fallbacks),
        "unlabelled_patients": len(patches.unlabeled),
    }


def _refuse_slides_of_two_patients(tiles: str) -> None:
    """Refuse tiles that lie under two patients, one of whom may be tested.

    Raises:
        LeakageError: the pixels of two tiles are equal, or the copy index finds one tile in both.
    """
    refuse_shared_images(tiles)
    roles = {name: split or "test" for name, split in patient_splits(tiles).items()}
    pairs = near_duplicates(tiles, table_fingerprints(tiles))
    refuse_near_duplicates(tiles, pairs, roles, tiles)


def patches_state(flags: CutPatchesFlags) -> StageState:
    """State of the PATCHES table; no tile is read."""
    plan = _plan(flags)
    return folder_state(absolute(flags.out), plan.identity, items_of=plan.items)


@dataclass(frozen=True, kw_only=True)
class _CutPlan:
    """Work of a run, before anything is done."""

    patches: PatchPlan
    has_split: bool
    """False if no tile has a split."""
    identity: Identity
    items: ItemsOf


def _plan(flags: CutPatchesFlags) -> _CutPlan:
    """Patches, identity and items of a run."""
    tiles = absolute(flags.tiles)
    rows = read_table(tiles, TILES, ["patient", "idh", "split", "slide", "rank"]).to_pandas()
    folds = read_folds(flags.folds) if flags.folds else None
    everyone = flags.all_patients or not rows["idh"].isin(LABELS).any()
    patches = plan_patches(rows, flags.settings, flags.seed, folds, all_patients=everyone)
    if not patches.counts:
        raise TableError(f"{tiles}: no tile that a patch could be cut from")
    tiles_seal, contents = seal(tiles), part_contents(tiles)
    ranks = {str(slide): list(group) for slide, group in rows.groupby("slide")["rank"]}
    people = rows.drop_duplicates("slide").set_index("slide")[["patient", "idh", "split"]]

    def items(recorded: dict[str, Any]) -> list[Item[CutTask]]:
        return [
            _item(
                CutTask(
                    tiles=tiles,
                    slide=slide,
                    ranks=tuple(sorted(ranks_by_tile.items())),
                    stain_ranks=stain_ranks(slide, ranks[slide], flags.seed),
                    settings=flags.settings,
                    seed=flags.seed,
                    for_folds=folds is not None,
                ),
                recorded_values(flags.settings, recorded),
                contents=contents_of_input(contents, tiles, slide),
                person=people.loc[slide].to_dict(),
                made_before=recorded.get("tiles") == tiles_seal,
            )
            for slide, ranks_by_tile in _ranks_by_slide(patches.ranks).items()
        ]

    identity = identity_of(
        inputs={"stage": "cut_patches"},
        flags=replace(flags, folds="yes" if folds else None),
        names=("seed", "folds", "all_patients"),
        settings=flags.settings,
        dropped=("tiles",),
    )
    before = {"tiles": tiles_seal, "folds": folds_hash(folds) if folds else None}
    identity = replace(identity, former={**identity.values, **before})
    has_split = bool((rows["split"] != "").any())
    return _CutPlan(patches=patches, has_split=has_split, identity=identity, items=items)


def _ranks_by_slide(
    ranks: Mapping[TileKey, tuple[int, ...]],
) -> dict[str, dict[int, tuple[int, ...]]]:
    """Slide -> rank of the tile -> ranks of its patches."""
    by_slide: dict[str, dict[int, tuple[int, ...]]] = defaultdict(dict)
    for (slide, tile_rank), patch_ranks in ranks.items():
        by_slide[slide][tile_rank] = patch_ranks
    return by_slide


def stain_ranks(slide: str, ranks: Iterable[int], seed: int) -> tuple[int, ...]:
    """Ranks of the tiles that the stains are fitted to, drawn from all tiles of the slide.

    The draw ignores which tiles give patches, so that the colors of a slide do not depend on the
    number of patches from other slides.
    """
    order = sorted(ranks, key=lambda rank: seed_for(seed, "stain tiles", slide, rank))
    return tuple(sorted(int(rank) for rank in order[:STAIN_TILES]))


def _item(
    task: CutTask,
    settings: dict[str, Any],
    *,
    contents: list[str],
    person: dict[str, str],
    made_before: bool,
) -> Item[CutTask]:
    """Item of one slide; its hash leaves out the path of the tiles.

    Args:
        task: Task of the slide.
        settings: Settings as the folder records them.
        contents: Digests of the slide's tiles.
        person: Patient, label and split of the slide.
        made_before: True if the folder was made from the same tiles by a version whose hash had
            neither the tiles nor the ranks of the patches.
    """
    values = {
        "slide": task.slide,
        "ranks": task.ranks,
        "stain_ranks": task.stain_ranks,
        "settings": settings,
        "seed": task.seed,
    }
    former = {**values, "ranks": [(tile_rank, len(ranks)) for tile_rank, ranks in task.ranks]}
    return Item(
        name=task.slide,
        settings_hash=settings_hash({**values, "tiles": contents}),
        former_hashes=[settings_hash(former)] if made_before else [],
        people={
            person["patient"]: {
                "idh": person["idh"],
                "split": "" if task.for_folds else person["split"],
            }
        },
        task=task,
        size=len(task.ranks),
    )


def _warn_of_missing(shortfall: Mapping[str, int], per_class: Mapping[str, int]) -> None:
    """Log missing patches and classes that differ in number."""
    for group, missing in shortfall.items():
        logger.warning("%s: %d patches too few, its tiles hold no more", group, missing)
    train = {name: count for name, count in per_class.items() if name.startswith("train ")}
    if len(set(train.values())) > 1:
        logger.warning("classes are not balanced, some places had too little tissue: %s", train)


def missing_by_patient(planned: Mapping[str, int], cut: Mapping[str, int]) -> dict[str, int]:
    """Planned patches that could not be cut, by patient; patients who lack none are left out."""
    missing = {name: number - cut.get(name, 0) for name, number in sorted(planned.items())}
    return {name: number for name, number in missing.items() if number > 0}


def _warn_of_patients(missing: Mapping[str, int], planned: Mapping[str, int]) -> None:
    """Log the patients whose tiles had places with too little tissue, the emptiest first."""
    if not missing:
        return
    order = sorted(missing, key=lambda name: (-missing[name] / planned[name], name))
    shares = [f"{name} {planned[name] - missing[name]} of {planned[name]}" for name in order]
    logger.warning(
        "%d of %d patients have fewer patches than planned, places of their tiles had too little "
        "tissue: %s",
        len(missing),
        len(planned),
        ", ".join(shares[:10]) + (", ..." if len(shares) > 10 else ""),
    )


def _patches_per_patient(out: str) -> dict[str, int]:
    """Number of patches of each patient."""
    rows = read_table(out, PATCHES, ["patient"]).to_pandas()
    return {str(name): int(n) for name, n in rows["patient"].value_counts().items()}


def _patches_per_class(out: str) -> dict[str, int]:
    """Number of patches by split and class, such as "train mutant"; without split, "mutant"."""
    rows = read_table(out, PATCHES, ["split", "idh"]).to_pandas()
    return {f"{split} {idh}".strip(): int(n) for (split, idh), n in rows.value_counts().items()}


def _stain_fallbacks(fates: Mapping[str, Fate]) -> list[str]:
    """The slides that kept their colors, which are also logged."""
    slides = sorted(
        name for name, fate in fates.items() if any(text in fate.error for text in STAIN_LOST_TEXTS)
    )
    if slides:
        logger.warning(
            "%d of %d slides keep their colors, no stain normalization fits them (see the ledger "
            "for the reasons): %s",
            len(slides),
            len(fates),
            ", ".join(slides[:10]) + (", ..." if len(slides) > 10 else ""),
        )
    return slides


def cut_one(task: CutTask) -> Outcome:
    """The patches of one slide as PATCHES rows."""
    patch_ranks = dict(task.ranks)
    recolor, note = _recoloring(task)
    notes = [note] if note else []
    rows = []
    for tile in read_rows(task.tiles, task.slide, only=("rank", patch_ranks)):
        patches = patches_of_tile(
            decode(tile["image"]["bytes"]),
            len(patch_ranks[tile["rank"]]),
            settings=task.settings,
            seed=task.seed,
            slide=tile["slide"],
            rank=tile["rank"],
            origin=_origin(tile),
            green_limit=tile["green_limit"],
            recolor=recolor,
        )
        rows += [
            {
                **{name: tile[name] for name in ("patient", "idh", "slide", "mpp")},
                "split": "" if task.for_folds else tile["split"],
                **_place(tile, patch),
                "rank": rank,
                "image": image_cell(patch.image, _patch_name(tile, patch)),
            }
            # Places with too little tissue are passed over: the last ranks of the tile are missing.
            for patch, rank in zip(patches, patch_ranks[tile["rank"]], strict=False)
        ]
    total = sum(len(ranks) for ranks in patch_ranks.values())
    if missing := total - len(rows):
        notes.append(f"{missing} of {total} places had too little tissue")
    return Outcome(rows=rows, status="done" if rows else "skipped", note="; ".join(notes))


def _has_place(tile: dict[str, Any]) -> bool:
    """False for a tile of another tool that does not say where on its slide it lies."""
    return all(tile[name] is not None for name in ("x_l0", "y_l0", "size_l0"))


def _origin(tile: dict[str, Any]) -> tuple[int, int, float, float]:
    """Corner, width and height of a tile at level 0; tables of other tools hold only squares."""
    if not _has_place(tile):
        return 0, 0, 1.0, 1.0
    width = tile["size_l0"]
    return tile["x_l0"], tile["y_l0"], width, tile["height_l0"] or width


def _place(tile: dict[str, Any], patch: Patch) -> dict[str, Any]:
    """Columns of the place of a patch, null if that of its tile is unknown."""
    names = ("x_l0", "y_l0", "size_l0", "height_l0")
    return {name: getattr(patch, name) if _has_place(tile) else None for name in names}


def _patch_name(tile: dict[str, Any], patch: Patch) -> str:
    if _has_place(tile):
        return f"{tile['slide']}_x{patch.x_l0}_y{patch.y_l0}"
    return f"{tile['slide']}_tile{tile['rank']}_x{patch.x_px}_y{patch.y_px}"


def _recoloring(task: CutTask) -> tuple[Recolor | None, str]:
    """The stain normalization of a slide, if the settings ask for one, or a note if none fits."""
    settings = task.settings
    method = settings.normalize
    if method == "none" or method == "channel_stretch":  # noqa: PLR1714 - mypy understands this one
        return None, ""
    pixels = []
    only = ("rank", task.stain_ranks)
    for tile in read_rows(task.tiles, task.slide, ["rank", "green_limit", "image"], only=only):
        random = generator(task.seed, "stain pixels", task.slide, tile["rank"])
        image = decode(tile["image"]["bytes"])
        pixels.append(
            tissue_pixels(
                image,
                STAIN_PIXELS,
                random,
                min_object_px=settings.min_object_px,
                green_limit=tile["green_limit"],
            )
        )
    try:
        return fit_stain(np.concatenate(pixels), method, settings.stain_target), ""
    except SlideError as error:
        return None, f"{STAIN_LOST}, {method}: {reason(error)}"
