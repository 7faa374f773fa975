"""Images that a GAN was trained on before its last training; it may copy these, too."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from idhray.errors import ConfigError, StorageError
from idhray.fidelity.copies.search import Copies, EmbeddedImages
from idhray.gan.config import GanSettings
from idhray.stages.gan_training.image_sets import Embedding, ImageSelection, training_images
from idhray.stages.runtime.folder import seal

EarlierTable = dict[str, Any]
"""Folder, digest and idh of a table, as they stand in the gate record; also `patients` (a list) and
`train_per_class`, if the training took only those."""

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
        matches = [table for table in earlier if table["digest"] == digest]
        if not matches:
            names = ", ".join(str(table["name"]) for table in earlier) or "none"
            raise ConfigError(
                f"--pretraining-images {folder}: this generator was not trained on it before its "
                f"last training (known: {names})"
            )
        for table in matches:
            limits = {name: table[name] for name in LIMITS if name in table}
            idh = str(table["idh"])
            tables.append({"folder": folder, "digest": digest, "idh": idh, **limits})
    return tables


def unseen_tables(model: Mapping[str, Any], searched: Sequence[EarlierTable]) -> list[str]:
    """One sentence on the earlier images that are not searched for copies, if there are any.

    A checkpoint from before tables were recorded has earlier images without a name.
    """
    digests = {table["digest"] for table in searched}
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
    tables: Sequence[EarlierTable], settings: GanSettings, embedding: Embedding
) -> Iterator[EmbeddedImages]:
    """Images of each table with their features.

    Raises:
        StorageError: a table has changed.
    """
    for table in tables:
        if seal(table["folder"]) != table["digest"]:
            raise StorageError(
                f"{table['folder']}: not the images that the generator was evaluated with; "
                "run `idhray evaluate-gan` again"
            )
        names = table.get("patients")
        selection = ImageSelection(
            roles=None if names is None else dict.fromkeys(names, "train"),
            train_per_class=table.get("train_per_class"),
        )
        yield embedding.of_real(training_images(table["folder"], table["idh"], settings, selection))


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
    counts = [int(np.count_nonzero(each.copy)) for each in copies]
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
