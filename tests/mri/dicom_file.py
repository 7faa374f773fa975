"""DICOM files byte by byte, so that nothing is tested with the library that it uses."""

import struct

import numpy as np

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
LONG = ("OB", "OW", "SQ", "UN", "UT")


def element(group, number, kind, value):
    """One data element, explicit little endian."""
    if isinstance(value, str):
        value = value.encode()
    if len(value) % 2:
        value += b"\0" if kind in ("UI", "OB") else b" "
    long = kind in LONG
    size = struct.pack("<HI", 0, len(value)) if long else struct.pack("<H", len(value))
    return struct.pack("<HH", group, number) + kind.encode() + size + value


def short(number):
    return struct.pack("<H", number)


def numbers(values):
    return "\\".join(f"{value:.10g}" for value in values)


def dicom_bytes(pixels, **changes):
    """A DICOM file of (rows, columns) int16 pixels, or (rows, columns, 3) uint8.

    Changes are values of the elements named below; None leaves an element out.
    """
    rows, columns = pixels.shape[:2]
    color, bits = pixels.ndim == 3, 8 * pixels.itemsize
    elements = {
        "image_type": (0x0008, 0x0008, "CS", "ORIGINAL\\PRIMARY"),
        "class_uid": (0x0008, 0x0016, "UI", MR_IMAGE),
        "image_uid": (0x0008, 0x0018, "UI", "1.2.3.4.1"),
        "date": (0x0008, 0x0020, "DA", None),
        "modality": (0x0008, 0x0060, "CS", "MR"),
        "description": (0x0008, 0x103E, "LO", None),
        "patient_name": (0x0010, 0x0010, "PN", "Doe^Jane"),
        "patient_id": (0x0010, 0x0020, "LO", "HOSPITAL-77"),
        "agent": (0x0018, 0x0010, "LO", None),
        "nominal_mm": (0x0018, 0x0088, "DS", None),
        "repetition": (0x0018, 0x0080, "DS", "9000"),
        "echo": (0x0018, 0x0081, "DS", "135"),
        "study_uid": (0x0020, 0x000D, "UI", None),
        "series_uid": (0x0020, 0x000E, "UI", "1.2.3.4"),
        "position": (0x0020, 0x0032, "DS", numbers((0, 0, 0))),
        "axes": (0x0020, 0x0037, "DS", numbers((1, 0, 0, 0, 1, 0))),
        "samples": (0x0028, 0x0002, "US", short(3 if color else 1)),
        "colors": (0x0028, 0x0004, "CS", "RGB" if color else "MONOCHROME2"),
        "planar": (0x0028, 0x0006, "US", short(0) if color else None),
        "frames": (0x0028, 0x0008, "IS", None),
        "rows": (0x0028, 0x0010, "US", short(rows)),
        "columns": (0x0028, 0x0011, "US", short(columns)),
        "pixel_mm": (0x0028, 0x0030, "DS", numbers((1, 1))),
        "allocated": (0x0028, 0x0100, "US", short(bits)),
        "stored": (0x0028, 0x0101, "US", short(bits)),
        "high_bit": (0x0028, 0x0102, "US", short(bits - 1)),
        "signed": (0x0028, 0x0103, "US", short(0 if color else 1)),
        "intercept": (0x0028, 0x1052, "DS", None),
        "slope": (0x0028, 0x1053, "DS", None),
        "pixels": (0x7FE0, 0x0010, "OW", pixels.tobytes()),
    }
    body = b""
    for name, (group, number, kind, default) in elements.items():
        value = changes.get(name, default)
        if value is not None:
            body += element(group, number, kind, value)
    meta = element(0x0002, 0x0001, "OB", b"\0\1") + element(
        0x0002, 0x0002, "UI", changes.get("class_uid", MR_IMAGE)
    )
    meta += element(0x0002, 0x0003, "UI", changes.get("image_uid", "1.2.3.4.1"))
    meta += element(0x0002, 0x0010, "UI", LITTLE_ENDIAN)
    length = element(0x0002, 0x0000, "UL", struct.pack("<I", len(meta)))
    return bytes(128) + b"DICM" + length + meta + body


def series(folder, voxels, axes=(1, 0, 0, 0, 1, 0), step=(0, 0, 5), **changes):
    """Write (columns, rows, slices) int16 voxels as files of 2 mm rows and 1.5 mm columns.

    Files are named in no order. Returns their paths, along the slices.
    """
    folder.mkdir(exist_ok=True)
    paths = []
    for k in range(voxels.shape[2]):
        place = np.array([-60.0, -70.0, 10.0]) + k * np.array(step)
        values = {
            "position": numbers(place),
            "axes": numbers(axes),
            "pixel_mm": numbers((2, 1.5)),
            "image_uid": f"{changes.get('series_uid', '1.2.3.4')}.{k + 1}",
            **changes,
        }
        path = folder / f"IM{k * 7 % 97:02d}-{values['image_uid'].replace('.', '')}"
        path.write_bytes(dicom_bytes(np.ascontiguousarray(voxels[:, :, k].T), **values))
        paths.append(path)
    return paths
