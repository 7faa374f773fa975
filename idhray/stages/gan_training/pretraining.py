"""Images that a GAN was trained on before its last training; it may copy these, too."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from idhray.errors import ConfigError, StorageError
from idhray.fidelity.copies.search import Copies, EmbeddedImages
from idhray.gan.config import GanSettings
from idhray.stages.gan_training.image_sets import (
    Embedding,
    ImageSelection,
    images_read,
    training_images,
)
from idhray.stages.runtime.folder import seal

EarlierTable = dict[str, Any]
"""Folder, digest, rows and idh of a table, as they stand in the gate record; also `patients` (a
list) and `train_per_class`, if the training took only those."""

PUBLISHED = "published"
"""Entry of model.json and of a table: weights of another program, see `published.py`."""
LIMITS = ("patients", "train_per_class")


def pretraining_tables(model: Mapping[str, Any], folders: Sequence[str]) -> list[EarlierTable]:
    """Tables of earlier trainings of a generator that lie in these folders.

    Args:
        model: Content of the checkpoint's model.json.
        folders: Folders of PATCHES or SLICES tables.

    Raises:
        ConfigError: a folder is no table of an earlier training.
    """
    earlier = model.get("tables", [])[1:]
    tables: list[EarlierTable] = []
    for folder in folders:
        digest = seal(folder)
        matches = [table for table in earlier if _is_table(folder, digest, table)]
        if not matches:
            names = ", ".join(str(table["name"]) for table in earlier) or "none"
            raise ConfigError(
                f"--pretraining-images {folder}: this generator was not trained on it before its "
                f"last training (known: {names})"
            )
        for table in matches:
            limits = {name: table[name] for name in LIMITS if name in table}
            idh = str(table["idh"])
            named = {"folder": folder, "digest": table["digest"], "idh": idh}
            tables.append(
                {**named, **({"rows": table["rows"]} if "rows" in table else {}), **limits}
            )
    return tables


def _is_table(folder: str, folder_seal: str, table: Mapping[str, Any]) -> bool:
    """True if a folder holds the training images of a recorded table.

    Records of earlier versions hold the seal of the whole folder only.
    """
    if table["digest"] == folder_seal:
        return True
    return table.get("rows") == images_read(folder, table["idh"], "train", _selection(table))


def _selection(table: Mapping[str, Any]) -> ImageSelection:
    """Images of a recorded table that a training used."""
    names = table.get("patients")
    return ImageSelection(
        roles=None if names is None else dict.fromkeys(names, "train"),
        train_per_class=table.get("train_per_class"),
    )


def unseen_tables(model: Mapping[str, Any], searched: Sequence[EarlierTable]) -> list[str]:
    """One sentence on the earlier images that are not searched for copies, if there are any.

    A checkpoint from before tables were recorded has earlier images without a name.
    """
    digests = {table["digest"] for table in searched}
    earlier = model.get("tables", [])[1:]
    published = [str(t["name"]) for t in earlier if t.get(PUBLISHED)]
    names = [str(t["name"]) for t in earlier if t["digest"] not in digests and not t.get(PUBLISHED)]
    if model.get("initialised_from") and not earlier:
        names.append("of the generator that it started from")
    sentences = []
    if names:
        sentences.append(
            f"Copies of images of earlier trainings ({', '.join(names)}) were not looked for; "
            "give --pretraining-images."
        )
    if published:
        sentences.append(
            f"Copies of the images behind published weights ({', '.join(published)}) cannot be "
            "looked for."
        )
    return sentences


def earlier_sets(
    tables: Sequence[EarlierTable], settings: GanSettings, embedding: Embedding
) -> Iterator[EmbeddedImages]:
    """Images of each table with their features.

    Raises:
        StorageError: a table has changed.
    """
    for table in tables:
        if not _is_table(table["folder"], seal(table["folder"]), table):
            raise StorageError(
                f"{table['folder']}: not the images that the generator was evaluated with; "
                "run `idhray evaluate-gan` again"
            )
        real = training_images(table["folder"], table["idh"], settings, _selection(table))
        yield embedding.of_real(real)


def with_earlier_copies(
    gate: dict[str, Any],
    copies: Sequence[Copies],
    tables: Sequence[EarlierTable],
    max_share: float,
) -> dict[str, Any]:
    """Verdict (`Gate.as_dict`) that also counts copies of earlier images.

    Args:
        gate: Verdict on copies of the last training images.
        copies: Copies of images of each of `tables`.
        tables: Tables of earlier trainings.
        max_share: Share of copies above which a generator fails.
    """
    counts = [_count(each) for each in copies]
    shares = [
        {"table": table["folder"].rstrip("/").rsplit("/", 1)[-1], "copies": count}
        for table, count in zip(tables, counts, strict=True)
    ]
    generated = gate["figures"]["generated"]
    reasons = [
        f"{count / generated:.1%} of {generated} generated images are copies of images of an "
        f"earlier training ({share['table']}), above {max_share:.1%}."
        for count, share in zip(counts, shares, strict=True)
        if count > max_share * generated
    ]
    return {
        **gate,
        "passed": gate["passed"] and not reasons,
        "reasons": [*gate["reasons"], *reasons],
        "figures": {**gate["figures"], "earlier_trainings": shares},
    }


def with_copies_of_class(
    gate: dict[str, Any], copies: Copies, idh: str, max_share: float
) -> dict[str, Any]:
    """Verdict that also counts copies of the other class, which one network learned, too.

    Args:
        gate: Verdict on copies of the images of the class that is judged.
        copies: Copies of images of the other class.
        idh: The other class.
        max_share: Share of copies above which a generator fails.
    """
    count, generated = _count(copies), gate["figures"]["generated"]
    reasons = [
        f"{count / generated:.1%} of {generated} generated images are copies of training images "
        f"of class {idh}, which the same network learned, above {max_share:.1%}."
    ]
    reasons = reasons if count > max_share * generated else []
    return {
        **gate,
        "passed": gate["passed"] and not reasons,
        "reasons": [*gate["reasons"], *reasons],
        "figures": {**gate["figures"], "copies_of_other_class": count},
    }


def _count(copies: Copies) -> int:
    return int(np.count_nonzero(copies.copy))
