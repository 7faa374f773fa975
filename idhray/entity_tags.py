"""Entity tags of objects on S3 and Google Cloud Storage.

A store changes the tag (`ETag`) of an object whenever the object is replaced, even by one of the
same size. Local files have none: their time of change depends on how they were copied.
"""

from collections.abc import Iterable

from idhray.uris import filesystem, is_remote


def entity_tags(paths: Iterable[str]) -> list[str]:
    """Tag of each object that has one; none for local paths.

    An object that cannot be read has none: the worker that reads it meets the error and records it.
    Costs one request per object.
    """
    return [tag for path in paths if is_remote(path) and (tag := _entity_tag(path))]


def _entity_tag(path: str) -> str:
    files, inner = filesystem(path)
    try:
        with files.open_input_stream(inner) as stream:
            metadata = stream.metadata() or {}
    except OSError:
        return ""
    tags = (value.decode() for key, value in metadata.items() if key.lower() == "etag")
    return next(tags, "").strip('"')
