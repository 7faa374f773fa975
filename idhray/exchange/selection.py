"""Choice of images of a source by their names."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from idhray.errors import StorageError


@dataclass(frozen=True, kw_only=True)
class NameSelection:
    """Patterns that the names of images must match, and must not match."""

    include: tuple[str, ...] = ()
    """Patterns of `fnmatch`, of which one must match; empty for all images."""
    exclude: tuple[str, ...] = ()
    """Patterns of which none may match."""

    def admits(self, name: str) -> bool:
        """True if an image is chosen.

        Args:
            name: Path of the image in the source. A pattern without `/` is compared with the last
                part of it, others with the whole path.
        """
        chosen = not self.include or any(_matches(name, pattern) for pattern in self.include)
        return chosen and not any(_matches(name, pattern) for pattern in self.exclude)

    def refuse_unused(self, names: Sequence[str], source: str) -> None:
        """Refuse a pattern that no image matches: it is misspelled, and others come in instead.

        Raises:
            StorageError: naming the pattern.
        """
        for flag, patterns in (("include", self.include), ("exclude", self.exclude)):
            for pattern in patterns:
                if names and not any(_matches(name, pattern) for name in names):
                    raise StorageError(
                        f"{source}: --{flag} {pattern} matches none of {len(names)} images; the "
                        f"first is {names[0]}"
                    )


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name if "/" in pattern else name.rsplit("/", 1)[-1], pattern)
