"""FEATURES tables of `idhray encode`, joined with the images of an experiment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from idhray.classify.image_set import ImageSet
from idhray.classify.settings import ClassifierSettings
from idhray.errors import ConfigError, TableError
from idhray.stages.runtime.contents import part_contents
from idhray.stages.runtime.folder import seal
from idhray.storage import SETTINGS, exists, join, read_json
from idhray.table_parts import parts, read_part

ENCODER_FILE = "encoder.json"
DECISIVE = ("encoder", "encoder_sha256", "channels", "image_px", "dimensions")
"""Values of `_settings.json` that decide the features of an image."""


@dataclass(frozen=True, kw_only=True)
class FeatureTables:
    """FEATURES of several tables of images, all by one encoder."""

    folders: tuple[str, ...]
    record: Mapping[str, Any]
    """Values that decide the features, see `DECISIVE`."""
    card: Mapping[str, str]
    """Name, digest, license and pretraining of the encoder."""


def prepared_as(tables: FeatureTables | None, settings: ClassifierSettings) -> ClassifierSettings:
    """Settings that prepare images as those of FEATURES tables, where there are any."""
    if tables is None:
        return settings
    defaults = ClassifierSettings()
    return replace(
        settings,
        channels=tables.record["channels"],
        image_px=tables.record["image_px"],
        clahe_clip_limit=defaults.clahe_clip_limit,
        clahe_tiles=defaults.clahe_tiles,
        gamma=defaults.gamma,
    )


def feature_tables(folders: Sequence[str]) -> FeatureTables:
    """Tables of `encode` that may be used together.

    Raises:
        ConfigError: a folder is no FEATURES table, or two are of different encoders or images of
            different size.
        StorageError: a folder is not finished.
    """
    records = {}
    for folder in folders:
        seal(folder)
        settings = read_json(join(folder, SETTINGS)) if exists(join(folder, SETTINGS)) else {}
        if settings.get("stage") != "encode":
            raise ConfigError(f"--features {folder}: not a table of `idhray encode`")
        records[folder] = {name: settings[name] for name in DECISIVE if name in settings}
    first = folders[0]
    for folder, record in records.items():
        for name in DECISIVE:
            if record.get(name) != records[first].get(name):
                raise ConfigError(
                    f"{folder}: {name} {record.get(name)}, but {records[first].get(name)} in "
                    f"{first}; encode all images with one encoder, --image-px and --channels"
                )
    card = read_json(join(first, ENCODER_FILE))
    return FeatureTables(folders=tuple(folders), record=records[first], card=card)


def joined_features(
    tables: FeatureTables, sets: Mapping[str, ImageSet]
) -> dict[str, NDArray[np.float32]]:
    """Features of image sets in the order of their images, (N, D) float32 each.

    Args:
        tables: FEATURES tables.
        sets: Image sets by any name; each knows the places of its images.

    Raises:
        TableError: an image has no features, or features that are not finite.
    """
    needed = {name: _keys(images) for name, images in sets.items()}
    dimensions = int(tables.record["dimensions"])
    results = {
        name: np.full((len(keys), dimensions), np.nan, np.float32) for name, keys in needed.items()
    }
    rows_of: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for name, keys in needed.items():
        for row, key in enumerate(keys):
            rows_of.setdefault(key, []).append((name, row))
    for path in (path for folder in tables.folders for path in parts(folder)):
        part = read_part(path, ["part", "row", "features"])
        vectors = _vectors(part["features"], dimensions)
        for place, key in enumerate(
            zip(part["part"].to_pylist(), part["row"].to_pylist(), strict=True)
        ):
            for name, row in rows_of.get(key, ()):
                results[name][row] = vectors[place]
    for name, features in results.items():
        if lacking := int((~np.isfinite(features).all(axis=1)).sum()):
            raise TableError(
                f"{name}: {lacking} of {len(features)} images have no features in "
                f"{', '.join(tables.folders)}; run `idhray encode` on this table, and give its "
                "folder to --features"
            )
    return results


def _keys(images: ImageSet) -> list[tuple[str, int]]:
    """Digest of the part and row of each image."""
    places = images.places
    assert places is not None
    folders = {path.rpartition("/")[0] for path in places.parts}
    contents = {path: d for folder in folders for path, d in part_contents(folder).items()}
    digests = [contents[path] for path in places.parts]
    return [(digests[p], int(r)) for p, r in zip(places.part, places.row, strict=True)]


def _vectors(column: pa.ChunkedArray, dimensions: int) -> NDArray[np.float16]:
    values = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(values, np.float16).reshape(-1, dimensions)
