"""Files below a folder; links to files and folders are followed.

Each real folder is searched once, so a loop of links ends, and each real file is listed once: under
its own path if it lies below the folder, else under the path of the first link to it.
"""

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FileTree:
    """Result of a search for files."""

    files: tuple[str, ...]
    """Sorted paths. A link that leads nowhere is listed, too: its file is missing, not unwanted."""
    broken_links: int
    """Links among `files` that lead nowhere."""
    repeated_links: int
    """Links to files that are listed under another path; they are not among `files`."""
    unreadable: tuple[str, ...]
    """Folders whose content cannot be listed."""

    def notes(self) -> list[str]:
        """Sentences on what a user should know about the search; none if all is as usual."""
        notes = []
        if self.broken_links:
            notes.append(
                f"{self.broken_links} links lead to no file (with DataLad or git-annex: get the "
                "files first)"
            )
        if self.repeated_links:
            notes.append(f"{self.repeated_links} links name files that are listed already")
        if self.unreadable:
            notes.append(
                f"{len(self.unreadable)} folders cannot be read and are left out, the first: "
                f"{self.unreadable[0]}"
            )
        return notes


def files_below(folder: str, is_skipped: Callable[[str], bool] | None = None) -> FileTree:
    """All files of a folder and of the folders below it, but hidden ones.

    Args:
        folder: Path of the folder.
        is_skipped: Function that is true for the names of folders that are not searched.
    """
    search = _Search(is_skipped or (lambda name: False))
    search.folders.append(folder)
    while search.folders or search.linked_folders:
        # Links come last, so that a file is listed under a path without links if it has one.
        queue = search.folders or search.linked_folders
        search.visit(queue.popleft())
    return search.result()


class _Search:
    """State of a search."""

    def __init__(self, is_skipped: Callable[[str], bool]) -> None:
        self.is_skipped = is_skipped
        self.folders = deque[str]()
        self.linked_folders = deque[str]()
        self.visited = set[tuple[int, int]]()  # device and inode
        self.files = list[str]()
        self.linked_files = list[str]()
        self.unreadable = list[str]()

    def visit(self, folder: str) -> None:
        """List one folder, unless it was listed under another path."""
        try:
            status = os.stat(folder)
            if (key := (status.st_dev, status.st_ino)) in self.visited:
                return
            self.visited.add(key)
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            self.unreadable.append(folder)
            return
        for entry in listed:
            if not entry.name.startswith("."):
                self._add(entry)

    def _add(self, entry: os.DirEntry[str]) -> None:
        is_link = entry.is_symlink()
        if os.path.isdir(entry.path) if is_link else entry.is_dir():  # a link may lead to itself
            if not self.is_skipped(entry.name):
                (self.linked_folders if is_link else self.folders).append(entry.path)
        else:
            (self.linked_files if is_link else self.files).append(entry.path)

    def result(self) -> FileTree:
        """All files, each once."""
        broken, repeated, links = 0, 0, list[str]()
        listed = self.files if self.linked_files else ()
        by_target = {os.path.realpath(path): path for path in listed}
        for path in self.linked_files:
            target = os.path.realpath(path)
            if not os.path.exists(target):
                broken += 1
            elif by_target.setdefault(target, path) != path:
                repeated += 1
                continue
            links.append(path)
        return FileTree(
            files=tuple(sorted([*self.files, *links])),
            broken_links=broken,
            repeated_links=repeated,
            unreadable=tuple(self.unreadable),
        )
