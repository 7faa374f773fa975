"""Choice of the CE-T1w and the FLAIR series in DICOM folders of the IDC, TCIA or a PACS."""

import logging
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from idhray.cohorts.imported import ImportedCohort, with_labels
from idhray.cohorts.labels import LabelOptions
from idhray.errors import ManifestError
from idhray.file_tree import files_below
from idhray.patients import patient_key

logger = logging.getLogger(__name__)

RULES = (
    "series are chosen in the first study of a patient that has both sequences",
    "FLAIR: the description says FLAIR, TIRM or dark fluid, and not T1",
    "CE-T1w: the description says T1 (or MPRAGE, SPGR, BRAVO, VIBE, FSPGR) and post, GD, contrast, "
    "+C or CE; or it says T1 and the header names a contrast agent",
    "left out: localizers, derived images (ADC, FA, MIP, subtraction, perfusion), fewer than 10 "
    "images",
    "of several: axial before others, then the one of most images; equal ones are refused",
)
"""Rules of the choice, as they are printed."""
LEAST_IMAGES = 10
_FLAIR = re.compile(r"flair|tirm|dark.?fluid", re.I)
_T1 = re.compile(r"t1|mp.?rage|f?spgr|bravo|vibe|tfl3d|3d.?tfe", re.I)
_CONTRAST = re.compile(
    r"post|\bpc\b|gad|(?<![a-z])gd(?![a-z])|contrast|\+\s*c|c\s*\+|(?<![a-z])ce(?![a-z])|enhanced",
    re.I,
)
_NO_CONTRAST = re.compile(r"\bpre\b|pre.?(?:contrast|gad|gd)|without|w/o|non.?contrast", re.I)
_DERIVED = re.compile(
    r"localizer|scout|3.?pl|adc|(?<![a-z])fa(?![a-z])|mip|subtract|(?<![a-z])sub(?![a-z])|perf|"
    r"dsc|dce|dwi|dti|trace|swi|survey|rcbv|map",
    re.I,
)
_TAGS = {
    "patient": "0010|0020",
    "modality": "0008|0060",
    "description": "0008|103e",
    "image_type": "0008|0008",
    "study": "0020|000d",
    "date": "0008|0020",
    "agent": "0018|0010",
    "orientation": "0020|0037",
}


@dataclass(frozen=True, kw_only=True)
class DicomSeries:
    """One series in one folder."""

    folder: str
    uid: str
    images: int
    tags: Mapping[str, str]

    @property
    def path(self) -> str:
        """Path as a manifest names it."""
        return f"{self.folder}#{self.uid}"

    def sequence(self) -> str:
        """`t1ce` or `flair`; "" for any other series."""
        text = self.tags["description"].replace("_", " ")
        image_type = self.tags["image_type"].upper()
        derived = "DERIVED" in image_type and "PRIMARY" not in image_type
        if self.tags["modality"] != "MR" or self.images < LEAST_IMAGES or derived:
            return ""
        if _DERIVED.search(text):
            return ""
        if _FLAIR.search(text) and not re.search(r"t1", text, re.I):
            return "flair"  # a T1 FLAIR is a T1w
        if not _T1.search(text) or _NO_CONTRAST.search(text):
            return ""
        return "t1ce" if _CONTRAST.search(text) or self.tags["agent"] else ""

    def is_axial(self) -> bool:
        """True if rows run to the left and columns to the back, up to an oblique angle."""
        try:
            direction = [float(value) for value in self.tags["orientation"].split("\\")]
        except ValueError:
            return False
        return len(direction) == 6 and abs(direction[0]) > 0.8 and abs(direction[4]) > 0.8


def dicom_manifest(
    folder: str, labels: Sequence[str], *, series: Collection[str], options: LabelOptions
) -> ImportedCohort:
    """Manifest of a tree of DICOM folders: one study of each patient.

    Args:
        folder: Root, searched with all subfolders.
        labels: Tables of labels by PatientID.
        series: SeriesInstanceUIDs that are chosen whatever the rules say.
        options: Choices for the labels.

    Raises:
        ManifestError: No study has both sequences, two series serve equally well, or a UID of
            `series` is absent or no CE-T1w or FLAIR; or see `with_labels`.
    """
    studies: dict[tuple[str, str, str], list[DicomSeries]] = defaultdict(list)
    count = 0
    for item in _series_in(folder):
        count += 1
        tags = item.tags
        studies[(tags["patient"], tags["date"], tags["study"])].append(item)
    if absent := set(series) - {item.uid for items in studies.values() for item in items}:
        raise ManifestError(f"{folder}: no series {min(absent)}, which --series names")
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    patients = {key[0] for key in studies}
    for patient in sorted(patients):
        for key in sorted(key for key in studies if key[0] == patient):
            pair = _pair(patient, studies[key], series, problems)
            if pair:
                rows.append({"patient": patient, **pair})
                break
    if problems:
        raise ManifestError("\n  ".join([f"{folder}: {len(problems)} problems", *problems[:10]]))
    if not rows:
        raise ManifestError(
            f"{folder}: no study with CE-T1w and FLAIR among {count} series; name them with "
            "--series UID ..."
        )
    left_out = {"patients_without_both": len(patients) - len(rows)}
    return with_labels(rows, labels, options, left_out, key=patient_key, notes=RULES)


def _pair(
    patient: str, items: Sequence[DicomSeries], series: Collection[str], problems: list[str]
) -> dict[str, Any] | None:
    """Paths of both sequences of a study; None if it lacks one."""
    pair = {}
    for name in ("t1ce", "flair"):
        candidates = [item for item in items if item.sequence() == name]
        best = [item for item in candidates if item.uid in series] or _best(candidates)
        if not best:
            return None
        if len(best) > 1:
            listed = " and ".join(f"{item.uid} ({item.tags['description']})" for item in best[:2])
            problems.append(f"patient {patient}: {listed} may both be {name}; choose by --series")
        pair[name] = best[0].path
    return pair


def _best(candidates: Sequence[DicomSeries]) -> list[DicomSeries]:
    """The series that the rules prefer; several if they are equal."""
    ranks = [(item.is_axial(), item.images) for item in candidates]
    return [item for item, rank in zip(candidates, ranks, strict=True) if rank == max(ranks)]


def _series_in(folder: str) -> Iterator[DicomSeries]:
    """All series of the folders below a root."""
    import SimpleITK  # noqa: PLC0415 - heavy, and needed for DICOM only

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    tree = files_below(os.path.abspath(folder))
    for note in tree.notes():
        logger.warning("%s: %s", folder, note)
    for parent in sorted({os.path.dirname(path) for path in tree.files}):
        for uid in SimpleITK.ImageSeriesReader.GetGDCMSeriesIDs(parent):
            files = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(parent, uid)
            reader = SimpleITK.ImageFileReader()
            reader.SetFileName(files[0])
            reader.SetImageIO("GDCMImageIO")
            try:
                reader.ReadImageInformation()
            except RuntimeError:
                continue  # no image: a report or a structure set
            present = {*reader.GetMetaDataKeys()}
            tags = {
                name: reader.GetMetaData(tag).strip(" \0") if tag in present else ""
                for name, tag in _TAGS.items()
            }
            yield DicomSeries(folder=parent, uid=uid, images=len(files), tags=tags)
