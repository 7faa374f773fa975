"""Frames of an enhanced multi-frame DICOM file, each as a slice with its own position.

Siemens XA and Philips export one file for each volume. GDCM gives the stack as if its frames were
in order; here each frame has the position that its functional group states.

Source: DICOM PS3.3, A.36.2 (Enhanced MR) and C.7.6.16 (functional groups).
"""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from idhray.errors import MriError
from idhray.mri.dicom.slices import DicomImage, TagNumbers, dicom_reader

FrameValues = NDArray[np.float32]  # (rows, columns)

_NUMBERS = {
    "position": ("PlanePositionSequence", "ImagePositionPatient", 3),
    "axes": ("PlaneOrientationSequence", "ImageOrientationPatient", 6),
    "pixel_mm": ("PixelMeasuresSequence", "PixelSpacing", 2),
    "spacing_mm": ("PixelMeasuresSequence", "SpacingBetweenSlices", 1),
    "slope": ("PixelValueTransformationSequence", "RescaleSlope", 1),
    "intercept": ("PixelValueTransformationSequence", "RescaleIntercept", 1),
}
"""Field -> sequence of the functional group, keyword, count of numbers."""
_DETAILS = {
    "ImageType": ("MRImageFrameTypeSequence", "FrameType"),
    "AcquisitionTime": ("FrameContentSequence", "FrameAcquisitionDateTime"),
    "TemporalPosition": ("FrameContentSequence", "TemporalPositionIndex"),
    "EchoTime": ("MREchoSequence", "EffectiveEchoTime"),
    "BValue": ("MRDiffusionSequence", "DiffusionBValue"),
}


def frames_of(image: DicomImage) -> list[DicomImage]:
    """The frames of a multi-frame file as slices; the file itself if it does not place them."""
    try:
        header = _dataset(image.path, stop_before_pixels=True)
        shared = (header.get("SharedFunctionalGroupsSequence") or [{}])[0]
        groups = list(header.get("PerFrameFunctionalGroupsSequence") or [])
        if len(groups) != image.frames:
            return [image]
        return [_frame(image, number, [group, shared]) for number, group in enumerate(groups)]
    except Exception:  # noqa: BLE001 - a damaged file raises anything in pydicom
        return [image]


def _dataset(path: str, *, stop_before_pixels: bool = False) -> Any:
    """Data set of a file. pydicom's warnings, which quote values of patients, are silenced."""
    import pydicom  # noqa: PLC0415 - a third of a second, and only multi-frame files need it

    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(path, stop_before_pixels=stop_before_pixels, force=True)


def _frame(image: DicomImage, number: int, groups: Sequence[Any]) -> DicomImage:
    """One frame; its own functional group goes before the shared one."""
    values = {name: _numbers(groups, *place) for name, place in _NUMBERS.items()}
    details = {name: _text(groups, *place) for name, place in _DETAILS.items()}
    spacing, slope, intercept = (values[key] for key in ("spacing_mm", "slope", "intercept"))
    return replace(
        image,
        frames=1,
        frame=number,
        position=values["position"],
        axes=values["axes"],
        pixel_mm=values["pixel_mm"],
        spacing_mm=abs(float(spacing[0])) if spacing.size else None,
        slope=float(slope[0]) if slope.size else 1.0,
        intercept=float(intercept[0]) if intercept.size else 0.0,
        details={**image.details, **{name: text for name, text in details.items() if text}},
    )


def _value(groups: Sequence[Any], sequence: str, keyword: str) -> Any:
    """Value of a keyword in the first group that has it; None if none does."""
    for group in groups:
        items = group.get(sequence)
        if items and items[0].get(keyword) is not None:
            return items[0].get(keyword)
    return None


def _numbers(groups: Sequence[Any], sequence: str, keyword: str, count: int) -> TagNumbers:
    value = _value(groups, sequence, keyword)
    numbers = np.atleast_1d(np.asarray([] if value is None else value, dtype=np.float64))
    return numbers if numbers.size == count and np.isfinite(numbers).all() else np.empty(0)


def _text(groups: Sequence[Any], sequence: str, keyword: str) -> str:
    value = _value(groups, sequence, keyword)
    if value is None:
        return ""
    return str(value) if isinstance(value, str | int | float) else "\\".join(map(str, value))


def frame_stack(label: str, path: str, frames: Sequence[DicomImage]) -> NDArray[np.float32]:
    """Pixels (frames, rows, columns) of a multi-frame file; each frame with its own scaling.

    Raises:
        MriError: The pixels are damaged, or compressed with a scaling that differs between frames.
    """
    scalings = {(frame.slope, frame.intercept) for frame in frames}
    try:
        if len(scalings) == 1:  # one scaling of all frames changes nothing: intensity is relative
            picture = SimpleITK.GetArrayFromImage(dicom_reader(path).Execute())
            return np.asarray(picture, dtype=np.float32)
        file = _dataset(path)
        if not file.file_meta.TransferSyntaxUID.is_compressed:
            stack = np.asarray(file.pixel_array, dtype=np.float32)
            for frame in frames:
                assert frame.frame is not None
                stack[frame.frame] = stack[frame.frame] * frame.slope + frame.intercept
            return stack
    except Exception as error:  # noqa: BLE001 - see `frames_of`
        text = " ".join(str(error).split())[:100]
        raise MriError(f"{label}: its frames are damaged ({text}); export it again") from None
    raise MriError(
        f"{label}: compressed frames with a scaling each; convert the scan to NIfTI, with dcm2niix "
        "for instance"
    )
