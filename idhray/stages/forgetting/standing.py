"""Results that descend from withdrawn patients and still stand in a study."""

from typing import Any

from idhray.ledger import fates
from idhray.stages.runtime.folder import DONE
from idhray.storage import exists, join, read_json
from idhray.withdrawals import read_withdrawals


def standing_descendants(study: str) -> list[str]:
    """Folders of a study that hold results of images of withdrawn patients; others were redone.

    Args:
        study: Folder of the study.
    """
    record = read_withdrawals(study)
    listed = [each for w in record.withdrawals for each in w.descendants] if record else []
    return sorted({str(each["folder"]) for each in listed if _stands(study, dict(each))})


def _stands(study: str, descendant: dict[str, Any]) -> bool:
    """True if a folder is still the one that was recorded, or one of its trainings is."""
    folder = join(study, descendant["folder"]) if descendant["folder"] else study
    if trials := descendant["trials"]:
        ledger = fates(folder)
        return any(
            name in ledger and ledger[name].settings_hash == digest
            for name, digest in trials.items()
        )
    done = join(folder, DONE)
    if not exists(done):
        return not descendant["digest"] and exists(folder)
    return bool(read_json(done)["digest"] == descendant["digest"])
