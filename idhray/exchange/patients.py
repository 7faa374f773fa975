"""Whose an image is: by what its file says, by its name, or by its folders.

Source: barcodes of TCGA (GDC encyclopedia, "TCGA Barcode") and of CPTAC's case IDs: what follows
one is a sample of this patient, never more of the name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idhray.errors import ConfigError, ManifestError

SEPARATOR = re.compile(r"[_\-. ]")
GOES_ON = re.compile(r"[- ]\w")  # P1-3 may be a patient of its own, not one of P1's images
WHOLE = re.compile(r"TCGA-\w\w-\w{4}|C3[LN]-\d{5}")


@dataclass(frozen=True, kw_only=True)
class People:
    """The patients and slides of a manifest."""

    slides: Mapping[str, str]
    """Name of a slide -> its patient; patients stand here under their own name, too."""

    @classmethod
    def of(cls, slides: Mapping[str, str], patients: set[str]) -> "People":
        """A name that is a slide of one patient and the name of another one is nobody's."""
        known = {**slides, **{name: name for name in patients}}
        torn = {name for name in patients & set(slides) if slides[name] != name}
        return cls(slides={name: who for name, who in known.items() if name not in torn})

    def patient(self, name: str, said: Mapping[str, Any], pattern: str | None) -> str | None:
        """The patient of an image; None if it is nobody's.

        Without a pattern: the patient, then the slide that its file says; then the longest
        beginning of its name, up to a `_ - .` or blank, that is a slide or a patient; then the
        innermost folder of which that is true. Before a `-` or blank with a letter or digit after
        it, only patients of TCGA and CPTAC end: `P1-3_0.png` is not taken for an image of P1.

        Args:
            name: Its path in the source, with or without an ending.
            said: What its file says of it.
            pattern: Regular expression whose first group in `name` is a patient or a slide.

        Raises:
            ManifestError: its file says one patient, and a slide of another one.
        """
        if pattern is not None:
            found = re.search(pattern, name)
            return self.slides.get(found[1] or "") if found else None
        by_slide = self._beginning(str(said["slide"])) if said.get("slide") else None
        if said.get("patient"):
            patient = self.slides.get(str(said["patient"]))
            if patient and by_slide and patient != by_slide:
                raise ManifestError(
                    f"{name} says patient {said['patient']} and slide {said['slide']}, which is of "
                    f"{by_slide} in the manifest; correct one of the two, or give --patient-pattern"
                )
            return patient
        if said.get("slide"):
            return by_slide
        for part in reversed(name.split("/")):
            if found_name := self._beginning(part):
                return found_name
        return None

    def _beginning(self, text: str) -> str | None:
        ends = [len(text), *(cut.start() for cut in reversed([*SEPARATOR.finditer(text)]))]
        end = next((end for end in ends if text[:end] in self.slides), 0)
        if not end or (GOES_ON.match(text, end) and not WHOLE.fullmatch(text[:end])):
            return None
        return self.slides[text[:end]]


def checked_pattern(pattern: str | None) -> str | None:
    """The pattern, if it is one.

    Raises:
        ConfigError: it is no regular expression with a group.
    """
    try:
        if pattern is not None and re.compile(pattern).groups < 1:
            raise ConfigError(f"--patient-pattern {pattern}: put the patient's part in (...)")
    except re.error as error:
        raise ConfigError(f"--patient-pattern {pattern}: no regular expression ({error})") from None
    return pattern
