"""Checkpoints of a GAN in training: whole folders of which the newest counts.

FOLDER/000000400/...    after 400 images; model.json, written last, is the sign that it is whole
FOLDER/000000200-1/...  the training went back to 200 images, for the first time

An older one goes away when a newer one is whole, so a kill at any moment leaves a readable one.
"""

from collections.abc import Mapping
from typing import Any

from pyarrow import fs

from idhray.gan.checkpoint import MODEL, TRAINING, WEIGHTS
from idhray.storage import exists, filesystem, join, publish, publish_json, read_bytes, read_json


def publish_files(files: Mapping[str, bytes], folder: str) -> None:
    """Publish each file, in this order; the last one is the sign that all are there."""
    for name, data in files.items():
        publish(join(folder, name), data)


def publish_snapshot(files: Mapping[str, bytes], folder: str, images_shown: int) -> None:
    """Add a snapshot and remove the others.

    Args:
        files: From `checkpoint.checkpoint_files`.
        folder: Of these snapshots only.
        images_shown: Names it.

    Raises:
        OSError: it cannot be written, as on a full disk; the one before is still there.
    """
    name = f"{images_shown:09d}"
    if not exists(join(folder, name, MODEL)):
        publish_files(files, join(folder, name))
    for other in _names(folder):
        if other != name:
            remove_folder(join(folder, other))


def return_to(source: str, folder: str, turn: int, changes: Mapping[str, Any]) -> None:
    """Make an older snapshot the only one of a folder, so that training goes on from there.

    Killed before it is whole, the folder's newest is the one before, which comes to the same point.

    Args:
        source: A snapshot, of this folder or of another.
        folder: Of snapshots.
        turn: Which time it is, from 1: it makes the name another one than that of a snapshot that
            was made at this point before.
        changes: What its model.json says from now on.
    """
    name = f"{source.rsplit('/', 1)[-1][:9]}-{turn}"
    for file in (WEIGHTS, TRAINING):
        publish(join(folder, name, file), read_bytes(join(source, file)))
    publish_json(join(folder, name, MODEL), {**read_json(join(source, MODEL)), **changes})
    for other in _names(folder):
        if other != name:
            remove_folder(join(folder, other))


def amend(snapshot: str, changes: Mapping[str, Any]) -> None:
    """Let a snapshot's model.json say more."""
    path = join(snapshot, MODEL)
    publish_json(path, {**read_json(path), **changes})


def newest_snapshot(folder: str) -> str | None:
    """The folder of the newest whole snapshot; None where there is none."""
    whole = [name for name in _names(folder) if exists(join(folder, name, MODEL))]
    return join(folder, whole[-1]) if whole else None


def remove_folder(folder: str) -> None:
    """Delete a folder, if it is there, so that a half-deleted one does not seem whole."""
    files, inner = filesystem(folder)
    model = f"{inner}/{MODEL}"
    if files.get_file_info(model).type == fs.FileType.File:
        files.delete_file(model)
    if files.get_file_info(inner).type == fs.FileType.Directory:
        files.delete_dir(inner)


def _names(folder: str) -> list[str]:
    files, inner = filesystem(folder)
    infos = files.get_file_info(fs.FileSelector(inner, allow_not_found=True))
    return sorted(info.base_name for info in infos if info.type == fs.FileType.Directory)
