"""Output folder of a stage: locked, with its identity, and with a seal when it is finished.

The seal (`_done.json`) holds a digest of the content of the folder. The identity of a later stage
includes the seals of its inputs: the stage refuses an unfinished input, and notices an input that
was made again with other content.

After a withdrawal, the records of a generator or classifier hold a keyed hash in place of a name.
Its seal stays, because weights and images are the same; `content` in it is the digest of the folder
since then.

The seal of a folder that grows also lists its parts. It stays while further parts join, and is
replaced when they are complete; until then readers take the listed parts only.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from idhray.ancestry import MODEL_FILE, WEIGHTS_SHA256, refuse_other_weights
from idhray.config import Identity
from idhray.errors import IdhrayError, LeakageError, SettingsChangedError, StorageError
from idhray.ledger import fates
from idhray.stages.runtime.cost import cost_text
from idhray.stages.runtime.session import provenance
from idhray.storage import (
    exists,
    join,
    list_files,
    output_folder,
    publish_json,
    read_bytes,
    read_json,
    remove,
)
from idhray.table_parts import parts

DONE = "_done.json"
PART_NAMES = "part_names"
CONTENT = "content"


class FolderReachedError(Exception):
    """A dry run has reached the output folder of the stage; everything before it was in order."""

    def __init__(self, out: str, identity: Identity) -> None:
        super().__init__(out)
        self.out, self.identity = out, identity


_ends_at_folder: ContextVar[bool] = ContextVar("ends_at_folder", default=False)


@contextlib.contextmanager
def ending_at_folder() -> Iterator[None]:
    """Every `stage_folder` of the block raises `FolderReachedError` and touches nothing."""
    token = _ends_at_folder.set(True)
    try:
        yield
    finally:
        _ends_at_folder.reset(token)


@contextlib.contextmanager
def stage_folder(
    out: str,
    identity: Identity,
    *,
    overwrite: bool,
    owns: tuple[str, ...] = (),
    grows: bool = False,
    finishes: bool = True,
) -> Iterator[dict[str, Any]]:
    """`output_folder` of a stage; sealed when the block ends without an error.

    Args:
        out: The output folder.
        identity: The values that decide the content of the folder, `stage` among them.
        overwrite: Delete the content that an earlier run of the stage left, and start again.
        owns: Names that the stage makes besides parts and names with an underscore. `--overwrite`
            removes these, and refuses a folder that holds other names.
        grows: Parts may join a finished folder, whose seal stays until they are complete.
        finishes: Seal the folder at the end of the block; else a later run does.

    Yields:
        The values of `identity` as the folder records them, see `output_folder`.

    Raises:
        FolderReachedError: within `ending_at_folder`.
    """
    if _ends_at_folder.get():
        raise FolderReachedError(out, identity)
    origin = provenance(str(identity.values["stage"]))
    folder = output_folder(out, identity, provenance=origin, overwrite=overwrite, owns=owns)
    with _with_cost(folder, out, identity) as recorded:
        done = join(out, DONE)
        before = read_json(done) if exists(done) else None
        if grows and before is not None and _may_grow(out, before):
            publish_json(done, {**before, PART_NAMES: sealed_parts(out) or _part_names(out)})
        else:
            remove(done)
        try:
            yield recorded
        except IdhrayError:
            # Refused before any work: a finished folder is still finished.
            if before is not None and _without_names(before) == sealed_again(out, before):
                publish_json(done, before)
            raise
        if not finishes:
            return
        names = {PART_NAMES: _part_names(out)} if grows else {}
        publish_json(done, {**sealed_again(out, before), **names})


@contextlib.contextmanager
def _with_cost(
    folder: contextlib.AbstractContextManager[dict[str, Any]], out: str, identity: Identity
) -> Iterator[dict[str, Any]]:
    """The folder; a refusal of other settings tells the cost of making the content anew."""
    with contextlib.ExitStack() as stack:
        try:
            recorded = stack.enter_context(folder)
        except SettingsChangedError as error:
            raise SettingsChangedError(f"{error}{cost_text(out, identity.values)}") from None
        yield recorded


def publish_seal(out: str) -> str:
    """Seal a folder that is complete; its digest."""
    sealed = _sealed(out)
    publish_json(join(out, DONE), sealed)
    return str(sealed["digest"])


def _may_grow(out: str, before: dict[str, Any]) -> bool:
    """True if a finished folder still has all parts that its seal stands for."""
    if PART_NAMES in before:
        return set(before[PART_NAMES]) <= set(_part_names(out))
    return _without_names(before) == sealed_again(out, before)


def _without_names(sealed: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in sealed.items() if name != PART_NAMES}


def sealed_parts(folder: str) -> list[str] | None:
    """Names of the parts of a finished folder that grows; None for all that are there."""
    path = join(folder, DONE)
    return read_json(path).get(PART_NAMES) if exists(path) else None


def _part_names(folder: str) -> list[str]:
    return [path.rsplit("/", 1)[-1] for path in parts(folder)]


def seal(folder: str) -> str:
    """The digest of a finished folder.

    Raises:
        StorageError: the folder does not exist, is not finished, or has other parts than then.
    """
    path = join(folder, DONE)
    if not exists(path):
        raise StorageError(
            f"{folder}: not there, or not finished; run the stage that makes it, to its end"
        )
    sealed = read_json(path)
    listed = set(sealed.get(PART_NAMES, _part_names(folder)))
    count = len(listed & set(_part_names(folder)))
    if count != sealed.get("parts", count):
        raise StorageError(
            f"{folder}: {count} part files, was finished with {sealed['parts']}; run the stage "
            "that makes it again"
        )
    return str(sealed["digest"])


def refuse_changed_checkpoint(folder: str) -> None:
    """Refuse a checkpoint whose weights are not those of its record.

    Records of earlier versions hold no digest of the weights. Then the whole folder is compared
    with its seal.

    Raises:
        LeakageError: a file was replaced.
        StorageError: the folder is not finished.
    """
    seal(folder)
    model = read_json(join(folder, MODEL_FILE)) if exists(join(folder, MODEL_FILE)) else {}
    refuse_other_weights(folder, model)
    before = read_json(join(folder, DONE))
    if WEIGHTS_SHA256 in model or _without_names(before) == sealed_again(folder, before):
        return
    raise LeakageError(
        f"{folder}: its files are not those that were sealed when it was finished, so the patients "
        "behind its weights are unknown; restore them, or train again"
    )


def sealed_again(out: str, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """Seal of a folder in its present state, whose earlier seal was `before`."""
    sealed = _sealed(out)
    if before is not None and before.get(CONTENT) == sealed["digest"]:
        return {**sealed, "digest": before["digest"], CONTENT: sealed["digest"]}
    return sealed


def sealed_with_other_records(out: str, before: Mapping[str, Any]) -> dict[str, Any]:
    """Seal of a folder in which a withdrawal changed records, and nothing that was computed."""
    sealed = _sealed(out)
    same = sealed["digest"] == before["digest"]
    return {**before, **({} if same else {CONTENT: sealed["digest"]})}


def sealed_without_rows(out: str, before: Mapping[str, Any]) -> dict[str, Any]:
    """Seal of a folder whose table lost the rows of a withdrawn patient."""
    names = {PART_NAMES: _part_names(out)} if PART_NAMES in before else {}
    return {**_sealed(out), **names}


def _sealed(out: str) -> dict[str, Any]:
    return {"digest": _digest(out), "parts": len(parts(out))}


def _digest(out: str) -> str:
    """Digest of the ledger, which holds digests of the parts, and of all other output files."""
    ledger = fates(out)
    contents = [
        [name, fate.status, fate.digest, *filter(None, [fate.people_hash])]
        for name, fate in sorted(ledger.items())
    ]
    for path in list_files(out):
        name = path.rsplit("/", 1)[-1]
        if not name.startswith(("_", ".")) and not (ledger and name.startswith("part-")):
            contents.append([name, "file", hashlib.sha256(read_bytes(path)).hexdigest()])
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:16]
