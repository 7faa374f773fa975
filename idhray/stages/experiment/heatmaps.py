"""Heatmaps of an application: one picture for each slide, and the extreme patches of each patient.

OUT/SLIDE.png            mean score of each patch over the models, on the thumbnail of the slide
OUT/PATIENT-patches.png  the ten most mutant-like and the ten most wildtype-like patches
OUT/_of.json             seal of the predictions that they show, written last
"""

import functools
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
import ray
from numpy.typing import NDArray

from idhray.classify.heatmap import ScoredPatch, extreme_patches, extreme_sheet, heatmap
from idhray.classify.image_set import ImageRows
from idhray.classify.trial_models import load_scorer
from idhray.cohorts.slide_names import slide_names
from idhray.errors import IdhrayError
from idhray.experiment.arms import REAL
from idhray.images import RGB, decode, encode
from idhray.slide_cache.source import file_to_open
from idhray.slides.direct import open_slide
from idhray.slides.thumbnail import thumbnail
from idhray.slides.tiling_settings import TilingSettings
from idhray.stages.experiment.application import (
    ApplicationPlan,
    application_images,
    application_plan,
)
from idhray.stages.runtime.losses import RESTARTS, result_of
from idhray.stages.runtime.placement import placed
from idhray.stages.runtime.session import wait_for_room
from idhray.storage import exists, join, local_file, publish, publish_json, read_json
from idhray.table_parts import column_names, read_part

logger = logging.getLogger(__name__)

OF_FILE = "_of.json"
MOST_PX, FINEST_MPP = 1600, 4.0
"""Longest side of a thumbnail, and its finest scale in um per pixel."""
PLACE = ("slide", "x_l0", "y_l0", "size_l0", "height_l0")


@dataclass(frozen=True, kw_only=True)
class ScoredImages:
    """All scored images of a cohort, with their places."""

    table: pd.DataFrame
    """One row per image: patient, slide, x_l0, y_l0, size_l0, height_l0, part, row, p_mutant."""
    models: int
    """Models whose mean score it is."""


def heatmaps_are_current(out: str, seal: str) -> bool:
    """True if the pictures show the predictions of this seal."""
    path = join(out, OF_FILE)
    return exists(path) and read_json(path).get("predictions") == seal


def draw_heatmaps(
    out: str,
    models: str,
    images: str,
    cohort: pd.DataFrame,
    settings: TilingSettings | None,
    *,
    seal: str,
    gpus: float,
) -> int:
    """Draw the pictures of all slides and patients; the number of pictures.

    A slide that cannot be opened has no picture, and is named in the log.

    Args:
        out: Folder of the pictures.
        models: Folder of a study, of `idhray sweep`, or of kept models.
        images: PATCHES or SLICES folder.
        cohort: Rows of the manifest, with paths of slides.
        settings: Settings of the tiles; None for images that are of no slide.
        seal: Seal of the predictions.
        gpus: GPUs of the scoring.
    """
    plan = application_plan(models, images)
    scored = scored_images(plan, gpus)
    wait_for_room(cpus=1, gpus=0)
    work: Any = ray.remote(num_cpus=1, max_retries=RESTARTS, **placed())(cast(Any, draw_slide))
    sheets: Any = ray.remote(num_cpus=1, max_retries=RESTARTS, **placed())(draw_patient)
    tasks = {}
    if settings is not None:
        rows = dict(zip(slide_names(cohort), cohort.to_dict("records"), strict=True))
        for slide, group in scored.table.groupby("slide"):
            if str(slide) in rows:
                tasks[str(slide)] = work.remote(
                    str(slide), rows[str(slide)], settings, group, models=scored.models, out=out
                )
    for patient, group in scored.table.groupby("patient"):
        tasks[f"patches of {patient}"] = sheets.remote(str(patient), group, scored.models, out)
    problems = {name: result_of(task, f"heatmap of {name}") for name, task in tasks.items()}
    lost = {name: problem for name, problem in problems.items() if problem}
    if lost:
        first = next(iter(lost))
        logger.warning("%s: %d pictures are missing; %s: %s", out, len(lost), first, lost[first])
    publish_json(join(out, OF_FILE), {"predictions": seal})
    return len(problems) - len(lost)


def scored_images(plan: ApplicationPlan, gpus: float) -> ScoredImages:
    """Mean score of each image over the models of the arm `real`, or over all models without it."""
    data = application_images(plan, gpus)
    of_real = {f: card for f, card in plan.models.items() if card.arm == REAL.name}
    models = of_real or dict(plan.models)
    sums: dict[tuple[str, int], float] = {}
    counts: dict[tuple[str, int], int] = {}
    patients: dict[tuple[str, int], str] = {}
    for folder, card in models.items():
        rows = data.scored(card)
        p: NDArray[np.float64] = data.scores(card, load_scorer(folder), rows)
        for key, name, value in zip(_keys(rows), rows.patients, p, strict=True):
            sums[key] = sums.get(key, 0.0) + float(value)
            counts[key] = counts.get(key, 0) + 1
            patients[key] = str(name)
    table = pd.DataFrame(
        [
            {"part": part, "row": row, "patient": patients[part, row], "p_mutant": total / n}
            for (part, row), total, n in zip(sums, sums.values(), counts.values(), strict=True)
        ]
    )
    return ScoredImages(table=_with_places(table), models=len(models))


def _keys(rows: ImageRows) -> list[tuple[str, int]]:
    """Part and row of each image."""
    places = rows.images.places
    assert places is not None
    return [
        (places.parts[int(part)], int(row))
        for part, row in zip(places.part[rows.rows], places.row[rows.rows], strict=True)
    ]


def _with_places(table: pd.DataFrame) -> pd.DataFrame:
    """The scores with the columns of the images' places; empty where the table has none."""
    tables = []
    for path, group in table.groupby("part"):
        names = [name for name in PLACE if name in column_names(str(path))]
        places = read_part(str(path), names).to_pandas().iloc[group["row"].to_numpy()]
        tables.append(
            pd.concat([group.reset_index(drop=True), places.reset_index(drop=True)], axis=1)
        )
    joined = pd.concat(tables, ignore_index=True)
    for name in PLACE:
        if name not in joined:
            joined[name] = "" if name == "slide" else np.nan
    return joined


def draw_slide(
    slide: str,
    row: Mapping[str, Any],
    settings: TilingSettings,
    patches: pd.DataFrame,
    *,
    models: int,
    out: str,
) -> str:
    """Draw the heatmap of one slide; the problem, or an empty text.

    Args:
        slide: Name of the slide.
        row: Its row of the manifest.
        settings: Settings by which its tiles were cut.
        patches: Its scored patches.
        models: Models whose mean score it is.
        out: Folder of the pictures.
    """
    placed = patches.dropna(subset=["x_l0", "y_l0", "size_l0"])
    if placed.empty:
        return "its patches have no place on the slide"
    try:
        with (
            local_file(file_to_open(str(row["slide"]))) as path,
            open_slide(
                path,
                name=slide,
                mpp=_number(row.get("mpp")),
                objective_power=_number(row.get("objective_power")),
                assume_mpp=settings.assume_mpp,
                to_srgb=settings.to_srgb,
                direct=settings.direct,
                second_reader=settings.second_reader,
            ) as opened,
        ):
            longest_um = max(
                side * mpp for side, mpp in zip(opened.size_l0, opened.mpp_xy, strict=True)
            )
            mpp = max(FINEST_MPP, longest_um / MOST_PX)
            base, _ = thumbnail(opened, mpp)
            scale = opened.extent_l0((1, 1), mpp)
    except (IdhrayError, OSError) as error:
        return str(error)
    title = f"{slide}: {len(placed)} patches, mean p {placed['p_mutant'].mean():.2f}"
    picture = heatmap(base, _scored_patches(placed, scale), f"{title}, {models} models")
    publish(join(out, f"{slide}.png"), encode(picture))
    return ""


def _scored_patches(placed: pd.DataFrame, scale: tuple[float, float]) -> list[ScoredPatch]:
    """Patches in pixels of the thumbnail.

    Args:
        placed: Patches with their places.
        scale: Level-0 pixels of one pixel of the thumbnail, across and down.
    """
    return [
        ScoredPatch(
            left=patch.x_l0 / scale[0],
            top=patch.y_l0 / scale[1],
            width=patch.size_l0 / scale[0],
            height=(patch.size_l0 if pd.isna(patch.height_l0) else patch.height_l0) / scale[1],
            p_mutant=patch.p_mutant,
        )
        for patch in placed.itertuples()
    ]


def draw_patient(patient: str, patches: pd.DataFrame, models: int, out: str) -> str:
    """Draw the extreme patches of one patient; an empty text, since nothing can be missing."""
    p = patches["p_mutant"].to_numpy(dtype=np.float64)
    highest, lowest = extreme_patches(p)
    image_of = functools.partial(_image, patches)
    title = f"{patient}: mean p {p.mean():.2f} over {len(p)} images, {models} models"
    sheet = extreme_sheet(
        [(image_of(k), float(p[k])) for k in highest],
        [(image_of(k), float(p[k])) for k in lowest],
        f"{title}; research use only",
    )
    publish(join(out, f"{patient}-patches.png"), encode(sheet))
    return ""


def _image(patches: pd.DataFrame, number: int) -> RGB:
    row = patches.iloc[number]
    cell = read_part(str(row["part"]), ["image"])["image"][int(row["row"])]
    return decode(cell["bytes"].as_py())


def _number(value: Any) -> float | None:
    number = pd.to_numeric(value, errors="coerce")
    return None if pd.isna(number) else float(number)
