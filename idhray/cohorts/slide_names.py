"""Names of slides: in every table, a slide is known by its file name without the ending.

Slides of one file name, in folders of their own, get the names of the folders that tell them apart.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

SLIDE_ID = "slide_id"
"""Column of a manifest: name of the slide, where that of its file does not tell it from others."""
ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,7}")


def slide_name(path: str) -> str:
    """Name of a slide's file without the ending.

    The text after the last dot of a DICOM UID, of a GDC name without an ending or of a version
    number is no ending but part of the name.
    """
    file = PurePosixPath(path.removesuffix("/zarr.json"))  # an OME-Zarr is a folder
    return file.stem if ENDING.fullmatch(file.suffix) else file.name


def row_slide_name(row: Mapping[Any, Any]) -> str:
    """Name of the slide of a row of a manifest; "" without a slide."""
    if not row.get("slide"):
        return ""
    return str(row.get(SLIDE_ID) or slide_name(str(row["slide"])))


def slide_names(cohort: pd.DataFrame) -> list[str]:
    """Name of the slide of each row of a manifest; "" without a slide."""
    columns = [name for name in ("slide", SLIDE_ID) if name in cohort]
    return [row_slide_name(row) for row in cohort[columns].to_dict("records")]


def told_apart(paths: Sequence[str]) -> dict[str, str]:
    """Path -> name, of the slides whose file names are shared, by as few folders as possible.

    `a/1/scan.svs` and `a/2/scan.svs` are `1_scan` and `2_scan`. Files of one folder that differ in
    their ending only keep their common name.

    Args:
        paths: Paths or URIs of different slides.
    """
    taken = {slide_name(path) for path in paths}
    names: dict[str, str] = {}
    for stem, group in _groups(paths):
        parts = {path: PurePosixPath(path).parts[:-1] for path in group}
        for depth in range(1, max(map(len, parts.values())) + 1):
            chosen = {path: "_".join([*parts[path][-depth:], stem]) for path in group}
            if len({*chosen.values()}) == len(group) and not {*chosen.values()} & taken:
                names |= {path: name.replace("/", "") for path, name in chosen.items()}
                taken |= {*names.values()}
                break
    return names


def _groups(paths: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Names that several slides share, each with its paths."""
    by_stem: dict[str, list[str]] = {}
    for path in paths:
        by_stem.setdefault(slide_name(path), []).append(path)
    yield from ((stem, group) for stem, group in by_stem.items() if len(group) > 1)
