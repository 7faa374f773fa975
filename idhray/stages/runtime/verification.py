"""Comparison of input files with the digests that were recorded when they were read."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from idhray import ledger
from idhray.stages.runtime.items import Item

logger = logging.getLogger(__name__)

READS_AT_ONCE = 16


@dataclass(frozen=True, kw_only=True)
class Verification:
    """Result of a comparison of inputs with their records."""

    compared: int
    """Inputs whose files were read again."""
    unrecorded: int
    """Inputs that an earlier version read, which recorded no digest."""
    changed: Sequence[str]
    """Inputs with other content under the same name and size."""

    def counts(self) -> dict[str, int]:
        """Numbers for the result of a stage."""
        return {"verified": self.compared, "changed_inputs": len(self.changed)}


def forget_changed_inputs(
    out: str, items: Sequence[Item[object]], digest_of: Mapping[str, Callable[[], str]]
) -> Verification:
    """Remove inputs with other content than when they were read from the ledger.

    They are then new inputs. Inputs that are worked on in any case are not compared.

    Args:
        out: Folder of the table.
        items: Inputs of this run.
        digest_of: Name of an input -> function that digests its present files.

    Raises:
        StorageError: a file cannot be read.
    """
    fates = ledger.fates(out)
    read = [
        item.name
        for item in items
        if (fate := fates.get(item.name)) and fate.status != "failed" and item.is_work_of(fate)
    ]
    recorded = [name for name in read if fates[name].input_digest]
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        digests = list(pool.map(lambda name: digest_of[name](), recorded))
    changed = [
        name
        for name, digest in zip(recorded, digests, strict=True)
        if digest != fates[name].input_digest
    ]
    ledger.forget(out, *changed)
    result = Verification(
        compared=len(recorded), unrecorded=len(read) - len(recorded), changed=changed
    )
    logger.info(
        "%s: content of %d inputs compared, %d have changed%s; %d without a recorded digest",
        out,
        result.compared,
        len(changed),
        f" ({', '.join(changed[:3])})" if changed else "",
        result.unrecorded,
    )
    return result
