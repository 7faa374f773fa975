"""Shares of the inputs of a stage, for job arrays: `--part 3/16`.

Each task of an array works on a share in the same output folder. The command without `--part` then
checks everything, tries failed inputs again and finishes the folder.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from idhray.config import Identity
from idhray.errors import ConfigError
from idhray.stages.runtime.folder import DONE
from idhray.stages.runtime.items import Item
from idhray.stages.runtime.session import provenance
from idhray.storage import join, remove, shared_output_folder

T = TypeVar("T")


@dataclass(frozen=True)
class InputShare:
    """One of `count` shares, from 1."""

    number: int
    count: int

    def of(self, items: Sequence[Item[T]]) -> list[Item[T]]:
        """The items of this share; all shares have about the same size."""
        largest_first = sorted(items, key=lambda item: (-item.size, item.name))
        return largest_first[self.number - 1 :: self.count]

    @property
    def name(self) -> str:
        """Name of the share's lock."""
        return f"{self.number:05d}-of-{self.count:05d}"


def parse_share(text: str, *, overwrite: bool = False) -> InputShare | None:
    """Share of a flag such as 3/16; None for an empty text.

    Raises:
        ConfigError: the text is no share, or the folder is to be emptied, which one run does.
    """
    if not text:
        return None
    if overwrite:
        raise ConfigError("--part and --overwrite: empty the folder by one run before the array")
    match = re.fullmatch(r"(\d{1,5})/(\d{1,5})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ConfigError(f"--part must be such as 3/16, the third of 16 shares, got {text!r}")
    return InputShare(int(match[1]), int(match[2]))


@contextlib.contextmanager
def shared_stage_folder(
    out: str, identity: Identity, share: InputShare
) -> Iterator[dict[str, Any]]:
    """Output folder of a stage for one share; it is not sealed. Yields as `stage_folder`."""
    origin = provenance(str(identity.values["stage"]))
    with shared_output_folder(out, identity, provenance=origin, share=share.name) as recorded:
        remove(join(out, DONE))
        yield recorded
