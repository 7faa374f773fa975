"""The patient of an image: by its metadata, by its name, or by its folders.

Source: barcodes of TCGA (GDC encyclopedia, "TCGA Barcode") and case IDs of CPTAC: text after one
names a sample of this patient and never continues the patient's name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from idhray.errors import ConfigError, ManifestError
from idhray.patients import by_key, patient_key

SEPARATOR = re.compile(r"[_\-. ]")
NAME_GOES_ON = re.compile(r"[- ]\w")  # P1-3 may be another patient, not an image of P1
BARCODE = re.compile(r"TCGA-\w\w-\w{4}|C3[LN]-\d{5}")


@dataclass(frozen=True, kw_only=True)
class People:
    """The patients and slides of a manifest."""

    slides: Mapping[str, str]
    """Patient by name of a slide; each patient is also listed under the patient's own name."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Patient by the key that all spellings of the name share, see `patients.patient_key`."""

    @classmethod
    def of(cls, slides: Mapping[str, str], patients: set[str]) -> "People":
        """People of a manifest, without names that are one patient and another patient's slide."""
        by_name = {**slides, **{name: name for name in patients}}
        ambiguous = {name for name in patients & set(slides) if slides[name] != name}
        return cls(
            slides={name: patient for name, patient in by_name.items() if name not in ambiguous},
            keys={key: name for key, name in by_key(patients).items() if name not in ambiguous},
        )

    def patient(self, name: str, metadata: Mapping[str, Any], pattern: str | None) -> str | None:
        """Patient of an image; None if no patient of the manifest matches.

        Without a pattern, the first of these decides: the patient in the metadata; the slide in the
        metadata; the longest start of the name, up to a `_ - .` or blank, that is a slide or a
        patient; the innermost folder with such a start. A start that is followed by `-` or a blank
        and a letter or digit counts only for patients of TCGA and CPTAC: `P1-3_0.png` is not taken
        for an image of P1.

        Args:
            name: Path of the image in the source, with or without an ending.
            metadata: Metadata of the image, from its file.
            pattern: Regular expression whose first group in `name` is a patient or a slide.

        Raises:
            ManifestError: the metadata names a patient and a slide of another patient.
        """
        if pattern is not None:
            match = re.search(pattern, name)
            return self._named(match[1] or "") if match else None
        by_slide = self._by_start(str(metadata["slide"])) if metadata.get("slide") else None
        if metadata.get("patient"):
            patient = self._named(str(metadata["patient"]))
            if patient and by_slide and patient != by_slide:
                raise ManifestError(
                    f"{name} says patient {metadata['patient']} and slide {metadata['slide']}, "
                    f"which is of {by_slide} in the manifest; correct one of the two, or give "
                    "--patient-pattern"
                )
            return patient
        if metadata.get("slide"):
            return by_slide
        for part in reversed(name.split("/")):
            if patient := self._by_start(part):
                return patient
        return None

    def _named(self, text: str) -> str | None:
        """Patient of a whole name, which may be spelled otherwise than in the manifest."""
        return self.slides.get(text) or self.keys.get(patient_key(text))

    def slide(self, name: str, patient: str) -> str:
        """Slide of a patient that the name of an image, or of a folder, begins with; "" if none."""
        for part in reversed(name.split("/")):
            start = self._start(part)
            if start and start != patient and self.slides[start] == patient:
                return start
        return ""

    def _by_start(self, text: str) -> str | None:
        """Patient by the longest start of a text that is a slide or a patient."""
        start = self._start(text)
        return self.slides[start] if start else None

    def _start(self, text: str) -> str:
        """Longest start of a text that is a slide or a patient; "" if none."""
        ends = [len(text), *(cut.start() for cut in reversed([*SEPARATOR.finditer(text)]))]
        end = next((end for end in ends if text[:end] in self.slides), 0)
        if not end or (NAME_GOES_ON.match(text, end) and not BARCODE.fullmatch(text[:end])):
            return ""
        return text[:end]


def checked_pattern(pattern: str | None) -> str | None:
    """The pattern, after a check that it can be used.

    Raises:
        ConfigError: the pattern is not a regular expression with a group.
    """
    try:
        if pattern is not None and re.compile(pattern).groups < 1:
            raise ConfigError(f"--patient-pattern {pattern}: put the patient's part in (...)")
    except re.error as error:
        raise ConfigError(f"--patient-pattern {pattern}: no regular expression ({error})") from None
    return pattern
