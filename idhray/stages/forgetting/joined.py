"""Studies that share outputs with a study, by `study --reuse`, and may hold the patient, too.

A study names the folders that it took over in `_study.json`, `reused`, and the studies that took
over its own folders in `_reused_by/`, one file each.
"""

from idhray.stages.forgetting.search import leftovers
from idhray.stages.forgetting.subject import subject_of
from idhray.storage import SETTINGS, exists, join, list_files, list_tree, read_json
from idhray.withdrawals import read_withdrawals

STUDY_FILE, REUSED, REUSED_BY = "_study.json", "reused", "_reused_by"


def joined_studies(study: str) -> list[str]:
    """Other studies whose outputs this study took over, or that took over its outputs."""
    path = join(study, STUDY_FILE)
    sources = read_json(path).get(REUSED, {}).values() if exists(path) else ()
    takers = [read_json(file)["study"] for file in list_files(join(study, REUSED_BY))]
    return sorted({*map(_study_of, sources), *takers} - {study})


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
