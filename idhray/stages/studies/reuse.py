"""Finished outputs of another study, taken over by hard links or, to another disk, as copies.

Files of an output are never changed in place: whoever updates or deletes the other study replaces
or unlinks its files, and the links here keep theirs. So neither study depends on the other.
"""

import contextlib
import os
import shutil
from collections.abc import Sequence

from pyarrow import fs

from idhray.gan.checkpoint import MODEL
from idhray.stages.runtime.folder import DONE
from idhray.stages.studies.numbered_folder import NumberedFolder, current_folder
from idhray.stages.studies.record import add_to_record, study_record
from idhray.storage import (
    SETTINGS,
    absolute,
    exists,
    filesystem,
    is_remote,
    join,
    publish_json,
    publishing,
    read_json,
)

REUSE = "reuse"
"""Entry of `_study.json`: output -> study that it was taken from."""
REUSE_FILE, REUSED_BY = "_reuse.json", "reused_by"
"""File of the other study, and its entry: studies that took outputs of it. A withdrawal names
them."""


def reuse_folders(study: str, other: str | None, folders: Sequence[NumberedFolder]) -> bool:
    """Take over the outputs of another study that fit and have not been begun here.

    Args:
        study: Folder of this study.
        other: Folder of the other study; None for none.
        folders: Outputs of a stage.

    Returns:
        True if an output was taken over.
    """
    if other is None:
        return False
    reused = False
    for folder in folders:
        source = current_folder(absolute(other), folder.name)
        begun_here = exists(join(folder.current, SETTINGS))
        is_link = study_record(study).get(REUSE, {}).get(folder.name) == absolute(other)
        unfinished_link = is_link and not exists(join(folder.current, DONE))
        if (begun_here and not unfinished_link) or not folder.state_of(source).is_done:
            continue
        _record_reuser(absolute(other), study)
        add_to_record(study, REUSE, {folder.name: absolute(other)})
        link_folder(source, folder.current)
        reused = True
    return reused


def _record_reuser(other: str, study: str) -> None:
    """Record in another study that this one takes outputs of it."""
    path = join(other, REUSE_FILE)
    names = set(read_json(path)[REUSED_BY]) if exists(path) else set[str]()
    if study not in names:
        publish_json(path, {REUSED_BY: sorted({*names, study})})


def link_folder(source: str, target: str) -> None:
    """Link or copy the files of a finished output; killed in between, it is unfinished."""
    files, inner = filesystem(source)
    infos = files.get_file_info(fs.FileSelector(inner, recursive=True))
    names = [
        info.path.removeprefix(inner.rstrip("/")).lstrip("/")
        for info in infos
        if info.type == fs.FileType.File
    ]
    last = [MODEL, DONE]  # they say that all other files are complete
    turns = {SETTINGS: -1, **{name: turn for turn, name in enumerate(last, start=1)}}
    for name in sorted(names, key=lambda name: (turns.get(name, 0), name)):
        if not any(part.startswith(".") for part in name.split("/")):
            _link_file(join(source, name), join(target, name))


def _link_file(source: str, target: str) -> None:
    """Link a file, or copy it where no link is possible."""
    if not is_remote(source) and not is_remote(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(target)  # left by a killed run
        with contextlib.suppress(OSError):
            os.link(source, target)
            return
    files, inner = filesystem(source)
    with files.open_input_stream(inner) as stream, publishing(target) as handle:
        shutil.copyfileobj(stream, handle)
