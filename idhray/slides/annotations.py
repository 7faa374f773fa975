"""Regions that a pathologist drew in QuPath, as a mask of a slide.

QuPath exports GeoJSON: a FeatureCollection or a list of Features, in level-0 pixels from the upper
left corner. The class of a region is the name of its classification.

Source: QuPath documentation, "Exporting annotations"; RFC 7946, section 3.1 (Polygon: closed rings;
the first ring is the outline, the others are holes).
"""

import json
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from idhray.errors import SlideError, one_line
from idhray.images import Mask

Ring = NDArray[np.float64]  # (n, 2): x and y; the last point equals the first

LARGEST_BYTES = 100_000_000
AREAS = ("Polygon", "MultiPolygon")
UNCLASSIFIED = ""


class Region(NamedTuple):
    """One polygon of a file; a MultiPolygon gives several regions."""

    name: str
    """Class of the region, "" if it has none."""
    rings: list[Ring]
    """Outline, then holes, in level-0 pixels."""


def region_mask(
    path: str,
    *,
    size_l0: tuple[int, int],
    mask_shape: tuple[int, int],
    classes: tuple[str, ...] | None = None,
    exclude: tuple[str, ...] = (),
) -> Mask:
    """Pixels whose centers lie in a region of these classes and in no region of `exclude`.

    Args:
        path: GeoJSON of QuPath.
        size_l0: (width, height) of the slide at level 0.
        mask_shape: (height, width) of the mask, which covers the whole slide.
        classes: Names of the classes; all regions except the excluded ones when None.
        exclude: Classes that are removed again, such as artifacts.

    Raises:
        SlideError: the file is no GeoJSON of this form, has no polygon of these classes, or has one
            that lies off the slide.
    """
    regions = read_regions(path)
    file_classes = sorted({region.name for region in regions})
    included = set(file_classes if classes is None else classes) - set(exclude)
    if not included & set(file_classes):
        raise SlideError(
            f"{path}: no polygon of class {', '.join(sorted(included)) or 'any'}; it has "
            f"{', '.join(name or '(no class)' for name in file_classes)}"
        )
    mask, excluded = np.zeros(mask_shape, dtype=bool), np.zeros(mask_shape, dtype=bool)
    scale = np.asarray(mask_shape[::-1]) / np.asarray(size_l0)
    for region in regions:
        if region.name in included or region.name in exclude:
            _refuse_off_slide(path, region, size_l0)
            target = excluded if region.name in exclude else mask
            _fill(target, [ring * scale for ring in region.rings])
    return mask & ~excluded


def read_regions(path: str) -> list[Region]:
    """Polygons of a file; points and lines are skipped.

    Raises:
        SlideError: the file is no GeoJSON or has no polygon, or a ring is open, too short or not
            finite.
    """
    regions = []
    for number, feature in enumerate(_features(path, _json(path))):
        geometry = feature.get("geometry")
        if not isinstance(geometry, dict) or geometry.get("type") not in AREAS:
            continue
        location = f"{path}: feature {number}"
        coordinates = geometry.get("coordinates")
        polygons = coordinates if geometry["type"] == "MultiPolygon" else [coordinates]
        for polygon in _checked_list(polygons, location):
            rings = [_ring(ring, location) for ring in _checked_list(polygon, location)]
            regions.append(Region(_class_name(feature), rings))
    if not regions:
        raise SlideError(f"{path}: no polygon; export annotations from QuPath as GeoJSON")
    return regions


def _json(path: str) -> Any:
    try:
        if os.path.getsize(path) > LARGEST_BYTES:
            raise SlideError(f"{path}: above {LARGEST_BYTES} bytes; export annotations, not cells")
        with open(path, encoding="utf-8-sig") as handle:
            return json.load(handle)
    except (OSError, ValueError, RecursionError) as error:
        raise SlideError(f"{path}: not GeoJSON ({one_line(error)})") from None


def _features(path: str, value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        value = value.get("features") if value.get("type") == "FeatureCollection" else [value]
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise SlideError(f"{path}: neither a FeatureCollection nor a list of Features")
    yield from value


def _checked_list(value: Any, location: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise SlideError(f"{location}: its coordinates are not those of a polygon")
    return value


def _ring(value: Any, location: str) -> Ring:
    try:
        ring = np.asarray([point[:2] for point in value], dtype=np.float64)
    except (TypeError, ValueError, IndexError, KeyError, OverflowError):
        ring = np.empty(0)
    if ring.ndim != 2 or ring.shape[1] != 2 or not np.isfinite(ring).all():
        raise SlideError(f"{location}: its coordinates are not pairs of finite numbers")
    if len(ring) < 4 or not np.array_equal(ring[0], ring[-1]):
        raise SlideError(f"{location}: a ring of {len(ring)} points is open, or no area; close it")
    return ring


def _class_name(feature: dict[str, Any]) -> str:
    """Class of a feature. QuPath writes `name`, or `names` from the root on for derived classes."""
    properties = feature.get("properties")
    name = properties.get("classification") if isinstance(properties, dict) else None
    if isinstance(name, dict):
        names = name.get("names")
        name = ": ".join(map(str, names)) if isinstance(names, list) else name.get("name")
    return name if isinstance(name, str) else UNCLASSIFIED


def _refuse_off_slide(path: str, region: Region, size_l0: tuple[int, int]) -> None:
    """Refuse a region far off the slide: it was drawn on another slide or at another scale.

    A region may extend over the edge of the slide.
    """
    outline, size = region.rings[0], np.asarray(size_l0)
    low, high = outline.min(axis=0), outline.max(axis=0)
    if (low < -size).any() or (high > 2 * size).any() or (low >= size).any() or (high <= 0).any():
        x, y = outline[np.abs(outline - size / 2).max(1).argmax()]
        raise SlideError(
            f"{path}: region {region.name!r} reaches ({x:.6g}, {y:.6g}) on a slide of "
            f"{size[0]} x {size[1]} px; coordinates must be level-0 pixels of this slide"
        )


def _fill(mask: Mask, rings: list[Ring]) -> None:
    """Set the pixels whose centers lie inside an odd number of rings, in place.

    In each row, every edge that crosses the line through the pixel centers flips all pixels to its
    right. Time grows with the length of the outline plus the area of its box, not their product.
    """
    points = np.concatenate(rings)
    height, width = mask.shape
    top, bottom = np.clip(np.floor(points[:, 1].min() - 0.5), 0, height), points[:, 1].max()
    left = int(np.clip(np.floor(points[:, 0].min() - 0.5), 0, width))
    right = int(np.clip(np.ceil(points[:, 0].max() + 0.5), 0, width))
    first, end = int(top), int(np.clip(np.ceil(bottom + 0.5), 0, height))
    flips = np.zeros((end - first, right - left + 1), dtype=np.uint8)
    for ring in rings:
        rows, columns = _crossings(ring, first, end)
        columns = np.clip(columns, left, right) - left
        np.bitwise_xor.at(flips, (rows - first, columns), 1)
    inside = np.bitwise_xor.accumulate(flips, axis=1)[:, :-1].astype(bool)
    mask[first:end, left:right] |= inside


def _crossings(ring: Ring, first: int, end: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(rows, first columns right of the edge) of all crossings of edges and rows' center lines."""
    start, stop = ring[:-1], ring[1:]
    downward = np.where((start[:, 1] <= stop[:, 1])[:, None], start, stop)
    other = np.where((start[:, 1] <= stop[:, 1])[:, None], stop, start)
    low = np.clip(np.ceil(downward[:, 1] - 0.5), first, end).astype(np.int64)
    high = np.clip(np.ceil(other[:, 1] - 0.5), first, end).astype(np.int64)
    counts = np.maximum(high - low, 0)
    edge = np.repeat(np.arange(len(counts)), counts)
    rows = low[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)
    slope = (other - downward)[edge]
    x = downward[edge, 0] + (rows + 0.5 - downward[edge, 1]) * slope[:, 0] / slope[:, 1]
    return rows, np.ceil(x - 0.5).astype(np.int64)
