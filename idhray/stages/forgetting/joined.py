"""Studies that share outputs with a study, by `study --reuse`, and may hold the patient, too.

A study names the studies that it took outputs of in `_study.json`, and those that took its own
outputs in `_reuse.json`.
"""

from collections.abc import Sequence

from idhray.stages.forgetting.search import leftovers
from idhray.stages.forgetting.subject import subject_of
from idhray.stages.studies.record import study_record
from idhray.stages.studies.reuse import REUSE, REUSE_FILE, REUSED_BY
from idhray.storage import SETTINGS, exists, join, list_tree, read_json
from idhray.withdrawals import read_withdrawals

SOURCES = "_sources.json"


def joined_studies(study: str) -> list[str]:
    """Other studies and tables that this study uses, and studies that took over its outputs."""
    record = study_record(study)
    # The recorded path of the study's own patches is an old one in a study that was moved.
    patches = [] if exists(join(study, "patches")) else [record.get("patches", study)]
    outside = [path for path in patches if not f"{path}/".startswith(f"{study}/")]
    path = join(study, REUSE_FILE)
    takers = read_json(path).get(REUSED_BY, ()) if exists(path) else ()
    return sorted({*record.get(REUSE, {}).values(), *map(_study_of, outside), *takers} - {study})


def outside_readings(study: str, files: Sequence[str]) -> list[str]:
    """Files of readings and consensus outside the study that its statistics were computed from.

    Args:
        study: Folder of the study.
        files: Paths of all files of the study.
    """
    records = [read_json(path) for path in files if path.endswith(f"/{SOURCES}")]
    paths = {str(path) for record in records for path in record.values() if path}
    return sorted(path for path in paths if not path.startswith(f"{study}/"))


def _study_of(folder: str) -> str:
    """The study that a folder lies in; the folder itself if it is not reached from here."""
    place = folder
    while "/" in place.strip("/"):
        path = join(place, SETTINGS)
        if exists(path) and read_json(path).get("stage") == "study":
            return place
        place = place.rpartition("/")[0]
    return folder


def holds_patient(study: str, patient: str) -> bool:
    """True if another study holds a patient, or is not reached from here.

    Args:
        study: Folder of the other study.
        patient: Name of the patient.
    """
    if not exists(join(study, SETTINGS)):
        return True
    withdrawals = read_withdrawals(study)
    earlier = withdrawals.of(patient) if withdrawals else None
    if earlier is not None:
        return not earlier.finished
    tables = [path for path in list_tree(study) if path.endswith(".parquet")]
    return bool(leftovers(tables, subject_of(patient, "", tables)))
