"""Entity tags of objects on S3 and Google Cloud Storage.

A store changes the tag (`ETag`) of an object whenever the object is replaced, even by one of the
same size. Local files have none: their time of change depends on how they were copied.
"""

from collections.abc import Iterable

from idhray.errors import StorageError
from idhray.object_store import PatientStore
from idhray.uris import filesystem, is_remote


def entity_tags(paths: Iterable[str]) -> list[str]:
    """Tag of each object that has one; none for local paths. Costs one request per object.

    An object that cannot be read has none: the worker that reads it meets the error and records it.
    """
    return [tag for path in paths if is_remote(path) and (tag := _entity_tag(path))]


def _entity_tag(path: str) -> str:
    files, inner = filesystem(path)
    if not isinstance(store := getattr(files, "handler", None), PatientStore):
        return ""
    try:
        return store.entity_tag(inner)
    except (FileNotFoundError, StorageError):
        return ""
