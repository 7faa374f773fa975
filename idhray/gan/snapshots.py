"""Checkpoints of a GAN in training: whole folders of which the newest counts.

FOLDER/000000400/...    after 400 images; model.json, written last, is the sign that it is whole

An older one goes away when a newer one is whole, so a kill at any moment leaves a readable one.
"""

from collections.abc import Mapping

from pyarrow import fs

from idhray.gan.checkpoint import MODEL
from idhray.storage import exists, filesystem, join, publish


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
