"""Snapshots of a training: complete checkpoint folders, of which the newest counts.

FOLDER/000000400/...    after 400 images; model.json is written last and marks it as complete
FOLDER/000000200-1/...  the training went back to 200 images, for the first time

An older snapshot is removed after a newer one is complete, so a kill at any moment leaves a
readable one.
"""

from collections.abc import Mapping
from typing import Any

from pyarrow import fs

from idhray.gan.checkpoint import MODEL, TRAINING
from idhray.gan.weights import WEIGHTS
from idhray.storage import exists, filesystem, join, publish, publish_json, read_bytes, read_json


def publish_files(files: Mapping[str, bytes], folder: str) -> None:
    """Publish files in this order; the last one marks the folder as complete."""
    for name, data in files.items():
        publish(join(folder, name), data)


def publish_snapshot(files: Mapping[str, bytes], folder: str, images_shown: int) -> None:
    """Add a snapshot and remove the others.

    Args:
        files: Result of `checkpoint.checkpoint_files`.
        folder: Folder that holds these snapshots only.
        images_shown: Name of the snapshot.

    Raises:
        OSError: it cannot be written, e.g. on a full disk; the earlier one is still there.
    """
    name = f"{images_shown:09d}"
    if not exists(join(folder, name, MODEL)):
        publish_files(files, join(folder, name))
    for other in _names(folder):
        if other != name:
            remove_folder(join(folder, other))


def return_to(source: str, folder: str, turn: int, changes: Mapping[str, Any]) -> None:
    """Make an older snapshot the only one of a folder, so that training continues from there.

    If this is killed before it is complete, the newest snapshot is the earlier one, from which the
    training reaches the same point again.

    Args:
        source: Snapshot of this folder or of another.
        folder: Folder of snapshots.
        turn: Number of the return, from 1; it makes the name differ from that of an earlier
            snapshot of this point.
        changes: New entries of its model.json.
    """
    name = f"{source.rsplit('/', 1)[-1][:9]}-{turn}"
    for file in (WEIGHTS, TRAINING):
        publish(join(folder, name, file), read_bytes(join(source, file)))
    publish_json(join(folder, name, MODEL), {**read_json(join(source, MODEL)), **changes})
    for other in _names(folder):
        if other != name:
            remove_folder(join(folder, other))


def amend(snapshot: str, changes: Mapping[str, Any]) -> None:
    """Add entries to the model.json of a snapshot."""
    path = join(snapshot, MODEL)
    publish_json(path, {**read_json(path), **changes})


def newest_snapshot(folder: str) -> str | None:
    """Folder of the newest complete snapshot; None if there is none."""
    complete = [name for name in _names(folder) if exists(join(folder, name, MODEL))]
    return join(folder, complete[-1]) if complete else None


def remove_folder(folder: str) -> None:
    """Delete a folder, if it exists; model.json first, so that it never seems complete."""
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
