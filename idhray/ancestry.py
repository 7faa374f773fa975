"""Ancestors of a training: what its weights and images descend from, with patients and digests.

Every checkpoint's model.json names the patients of all its ancestors, the sorted digests of their
images (`image_digests`), and in `ancestry` one sentence for each ancestor of which something is
unknown. Weights of other programs may have a record beside them, FILE.json, with `pretraining` (a
sentence) and, if they are known, `patients` and `image_digests`.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from idhray.errors import LeakageError
from idhray.fingerprints import Hashes, packed_digests, unpacked_digests
from idhray.generator_records import GeneratorRecord
from idhray.storage import exists, join, read_bytes, read_json

MODEL_FILE, WEIGHTS_FILE = "model.json", "weights.safetensors"
IMAGE_DIGESTS, ANCESTRY, WEIGHTS_SHA256 = "image_digests", "ancestry", "weights_sha256"
_PATIENT_LISTS = (
    *("patients", "train_patients", "generator_patients", "ancestor_patients", "val_patients"),
)
"""Lists of patients in model.json, of generators and of classifiers."""


@dataclass(frozen=True, kw_only=True)
class Ancestor:
    """Weights, a generator or a training set that a result descends from."""

    name: str
    """Subject of a message, such as `FOLDER: its generator`."""
    patients: tuple[str, ...] | None = None
    """Patients whose images shaped it; None if unknown."""
    digests: Hashes | None = None
    """Sorted digests of the pixels of these images; None if unknown."""
    folder: str = ""
    """Folder of the record, in or above which keys of withdrawn patients lie."""
    ancestry: tuple[str, ...] = ()
    """Sentences on what is unknown of its own ancestors."""
    label: str = ""
    """Short name without the path of a folder, for sentences in a verdict."""
    verb: str = "was trained on"
    advice: str = "train it on the training patients only"

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences on what nobody can check."""
        label = self.label or self.name
        if self.patients is None:
            text = f"{label}: training patients are unknown, so overlap cannot be excluded."
        elif self.digests is None:
            text = (
                f"{label}: patients are recorded, the pixels of their images are not, so only "
                "names could be compared."
            )
        else:
            return self.ancestry
        return (*self.ancestry, text)


def ancestor_of_record(folder: str, record: GeneratorRecord) -> Ancestor:
    """Generator of a folder of synthetic images."""
    return Ancestor(
        name=f"{folder}: its generator",
        label=f"Generator of {_last_part(folder)}",
        patients=record.patients,
        digests=_digests(record.image_digests),
        folder=folder,
        ancestry=record.ancestry,
        advice="train the generator on the training patients only",
    )


def ancestor_of_model(folder: str, kind: str = "its training") -> Ancestor:
    """Generator or classifier of a checkpoint folder.

    Raises:
        StorageError: model.json is missing.
        LeakageError: the weights are not those that model.json describes.
    """
    model = read_json(join(folder, MODEL_FILE))
    refuse_other_weights(folder, model)
    lists = [model[name] for name in _PATIENT_LISTS if name in model]
    return Ancestor(
        name=f"{folder}: {kind}",
        label=f"Model {_last_part(folder)}",
        patients=tuple(sorted({name for names in lists for name in names})) if lists else None,
        digests=_digests(model.get(IMAGE_DIGESTS)),
        folder=folder,
        ancestry=tuple(model.get(ANCESTRY, ())),
    )


def refuse_other_weights(folder: str, model: Mapping[str, Any], data: bytes | None = None) -> None:
    """Refuse weights that are not those of a checkpoint's record; older records do not tell.

    Args:
        folder: Folder of the checkpoint.
        model: Content of its model.json.
        data: Content of its weights.safetensors; None to read it.

    Raises:
        LeakageError: naming the file.
    """
    sha256, path = model.get(WEIGHTS_SHA256), join(folder, WEIGHTS_FILE)
    if sha256 is None:
        return
    if sha256 != hashlib.sha256(read_bytes(path) if data is None else data).hexdigest():
        raise LeakageError(
            f"{path}: not the weights that {MODEL_FILE} describes, so their patients are unknown; "
            "restore the file, or train again"
        )


def ancestors_of_weights(weights: str) -> list[Ancestor]:
    """File of weights that a classifier starts from; none for random weights and photographs.

    The record is the model.json beside `weights.safetensors`, or FILE.json beside any other file.

    Args:
        weights: imagenet, random, or the path of a file.

    Raises:
        LeakageError: model.json beside the file describes other weights.
    """
    if weights in ("imagenet", "random"):
        return []
    folder, _, name = weights.rpartition("/")
    if name == WEIGHTS_FILE and exists(join(folder, MODEL_FILE)):
        source = ancestor_of_model(folder)
        return [replace(source, name=f"--weights {weights}", advice="start from other weights")]
    card = f"{weights}.json"
    values = read_json(card) if exists(card) else {}
    pretraining = str(values.get("pretraining") or "").rstrip(". ")
    patients = values.get("patients")
    source = Ancestor(
        name=f"--weights {name}",
        label=f"Weights {name}",
        patients=None if patients is None else tuple(patients),
        digests=_digests(values.get(IMAGE_DIGESTS)),
        folder=folder,
        ancestry=(f"Weights {name} were pretrained on: {pretraining}.",) if pretraining else (),
        advice="start from weights of other patients",
    )
    return [source]


def joined_digests(digests: Iterable[int], ancestors: Sequence[Ancestor]) -> str:
    """Text of the digests of a training's images and of those of its ancestors, as far as known."""
    earlier = [ancestor.digests for ancestor in ancestors if ancestor.digests is not None]
    return packed_digests([*map(int, digests), *(int(value) for each in earlier for value in each)])


def joined_remarks(ancestors: Sequence[Ancestor]) -> list[str]:
    """Sentences on unknown ancestry, each once."""
    return list(dict.fromkeys(remark for ancestor in ancestors for remark in ancestor.remarks))


def _last_part(folder: str) -> str:
    return folder.rstrip("/").rpartition("/")[2]


def _digests(text: str | None) -> Hashes | None:
    return None if text is None else np.asarray(unpacked_digests(text))
