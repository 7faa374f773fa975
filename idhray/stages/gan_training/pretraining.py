"""The images that a GAN saw before its last training; it may copy these, too."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from idhray.errors import ConfigError, StorageError
from idhray.fidelity.copies.search import Copies, EmbeddedImages
from idhray.fidelity.features import Extractor
from idhray.gan.config import GanSettings
from idhray.stages.gan_training.image_sets import image_set, training_images
from idhray.stages.runtime.folder import seal

Table = dict[str, str]  # folder, digest and idh, as `pretraining_tables` gives them


def pretraining_tables(model: Mapping[str, Any], folders: Sequence[str]) -> list[Table]:
    """Which of a generator's earlier tables the folders are.

    Args:
        model: model.json of the checkpoint.
        folders: PATCHES or SLICES.

    Raises:
        ConfigError: one is none of them.
    """
    earlier = model.get("tables", [])[1:]
    found = []
    for folder in folders:
        digest = seal(folder)
        same = [table for table in earlier if table["digest"] == digest]
        if not same:
            known = ", ".join(str(table["name"]) for table in earlier) or "none"
            raise ConfigError(
                f"--pretraining-images {folder}: this generator was not trained on it before its "
                f"last training (known: {known})"
            )
        found += [{"folder": folder, "digest": digest, "idh": str(t["idh"])} for t in same]
    return found


def unseen_tables(model: Mapping[str, Any], given: Sequence[Table]) -> list[str]:
    """One sentence on the earlier images in which nobody looks for copies; none if there are none.

    A checkpoint from before tables were recorded has earlier images without a name.
    """
    digests = {table["digest"] for table in given}
    names = [str(t["name"]) for t in model.get("tables", [])[1:] if t["digest"] not in digests]
    if model.get("initialised_from") and len(model.get("tables", [])) < 2:
        names.append("of the generator that it started from")
    if not names:
        return []
    return [
        f"Copies of images of earlier trainings ({', '.join(names)}) were not looked for; "
        "give --pretraining-images."
    ]


def earlier_sets(
    tables: Sequence[Table],
    settings: GanSettings,
    extractor: Extractor,
    names: tuple[str, ...],
    left_out: tuple[str, ...],
) -> Iterator[EmbeddedImages]:
    """The images of each table with their features.

    Raises:
        StorageError: a table is not the one that it was.
    """
    for table in tables:
        if seal(table["folder"]) != table["digest"]:
            raise StorageError(
                f"{table['folder']}: not the images that the generator was judged by; "
                "run `idhray evaluate-gan` again"
            )
        real = training_images(table["folder"], table["idh"], settings)
        yield image_set(real, real.images, extractor, names, left_out)


def with_earlier_copies(
    gate: dict[str, Any], found: Sequence[Copies], tables: Sequence[Table], most: float
) -> dict[str, Any]:
    """A verdict (`Gate.as_dict`) that counts copies of earlier images, too.

    Args:
        found: In each of `tables`.
        most: The share of copies above which a generator fails.
    """
    counts = [int(np.count_nonzero(copies.copy)) for copies in found]
    shares = [
        {"table": table["folder"].rstrip("/").rsplit("/", 1)[-1], "copies": count}
        for table, count in zip(tables, counts, strict=True)
    ]
    generated = gate["figures"]["generated"]
    reasons = [
        f"{count / generated:.1%} of {generated} generated images are copies of images of an "
        f"earlier training ({said['table']}), above {most:.1%}."
        for count, said in zip(counts, shares, strict=True)
        if count > most * generated
    ]
    return {
        **gate,
        "passed": gate["passed"] and not reasons,
        "reasons": [*gate["reasons"], *reasons],
        "figures": {**gate["figures"], "earlier_trainings": shares},
    }
