"""DICOM slides, one file a level, made for a test, byte by byte."""

import struct
from pathlib import Path

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
JPEG_BASELINE, JPEG_2000 = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.91"
LONG = ("OB", "SQ")


def write_dicom(
    path: Path,
    frames: list[bytes],
    size: tuple[int, int],
    block_px: int,
    *,
    photometric: str = "YBR_FULL_422",
    transfer_syntax: str = JPEG_BASELINE,
    sop_class: str = WHOLE_SLIDE,
    mpp: float = 0.5,
    instance: str = "1.2.3.4",
    series: str = "1.2.3.6",
) -> str:
    """Frames, left to right, then down; of `size` (width, height) px in blocks of `block_px`.

    Files of one folder and `series` are the levels of one slide.
    """
    meta = _element(2, 1, "OB", b"\0\1") + _element(2, 2, "UI", sop_class)
    meta += _element(2, 3, "UI", instance) + _element(2, 0x10, "UI", transfer_syntax)
    meta += _element(2, 0x12, "UI", "1.2.3")
    spacing = _element(0x28, 0x30, "DS", f"{mpp / 1000:.6f}\\{mpp / 1000:.6f}")
    measures = _element(0x28, 0x9110, "SQ", _item(spacing))
    body = [
        _element(8, 8, "CS", "ORIGINAL\\PRIMARY\\VOLUME\\NONE"),
        _element(8, 0x16, "UI", sop_class),
        _element(8, 0x18, "UI", instance),
        _element(8, 0x60, "CS", "SM"),
        _element(0x20, 0xD, "UI", "1.2.3.5"),
        _element(0x20, 0xE, "UI", series),
        _element(0x20, 0x13, "IS", "1"),
        _element(0x20, 0x52, "UI", "1.2.3.7"),
        _element(0x20, 0x9311, "CS", "TILED_FULL"),
        _element(0x28, 2, "US", _short(3)),
        _element(0x28, 4, "CS", photometric),
        _element(0x28, 6, "US", _short(0)),
        _element(0x28, 8, "IS", str(len(frames))),
        _element(0x28, 0x10, "US", _short(block_px)),
        _element(0x28, 0x11, "US", _short(block_px)),
        _element(0x28, 0x100, "US", _short(8)),
        _element(0x28, 0x101, "US", _short(8)),
        _element(0x28, 0x102, "US", _short(7)),
        _element(0x28, 0x103, "US", _short(0)),
        _element(0x48, 6, "UL", struct.pack("<I", size[0])),
        _element(0x48, 7, "UL", struct.pack("<I", size[1])),
        _element(0x48, 0x105, "SQ", _item(_element(0x48, 0x106, "SH", "1"))),
        _element(0x48, 0x302, "UL", struct.pack("<I", 1)),
        _element(0x48, 0x303, "UL", struct.pack("<I", 1)),
        _element(0x5200, 0x9229, "SQ", _item(measures)),
        struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF),
        _item(b""),
        *(_item(frame + b"\0" * (len(frame) % 2)) for frame in frames),
        struct.pack("<HHI", 0xFFFE, 0xE0DD, 0),
    ]
    length = _element(2, 0, "UL", struct.pack("<I", len(meta)))
    path.write_bytes(b"\0" * 128 + b"DICM" + length + meta + b"".join(body))
    return str(path)


def _element(group: int, number: int, kind: str, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    if len(data) % 2:
        data += b"\0" if kind in ("UI", "OB") else b" "
    if kind in LONG:
        return struct.pack("<HH2sHI", group, number, kind.encode(), 0, len(data)) + data
    return struct.pack("<HH2sH", group, number, kind.encode(), len(data)) + data


def _item(data: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(data)) + data


def _short(number: int) -> bytes:
    return struct.pack("<H", number)
