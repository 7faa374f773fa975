"""Checks of folders: temporary files, shared memory, and the output of a study."""

import os
import shutil
import tempfile
import time
import uuid
from pathlib import Path

from idhray.errors import IdhrayError
from idhray.locks import lock
from idhray.stages.checkup.result import CheckResult, failed, ok, warning
from idhray.storage import exists, join, publish, read_bytes, remove
from idhray.surroundings import ray_folder
from idhray.uris import absolute, is_remote

LEAST_FREE_GB = 2.0
COMFORTABLE_GB = 50.0
LEAST_SHARED_GB = 1.0
LARGEST_SKEW_S = 5.0
GB = 1e9


def temporary_folder() -> CheckResult:
    """Look for a folder whose path is short enough for Ray's sockets."""
    name = "temporary folder"
    try:
        folder = ray_folder() or os.path.join(tempfile.gettempdir(), "ray")
    except IdhrayError as error:
        return failed(name, str(error), "")
    free = _free_gb(Path(folder).parent)
    if free < LEAST_FREE_GB:
        return failed(name, f"{folder}: {free:.1f} GB free", "set RAY_TMPDIR to a local disk")
    return ok(name, f"{folder}, {free:.0f} GB free")


def shared_memory(folder: str = "/dev/shm") -> CheckResult:
    """Look for room for Ray's objects."""
    name = "shared memory"
    remedy = "start the container with --shm-size=8g; Ray uses files instead, which is slower"
    if not os.path.isdir(folder):
        return warning(name, f"no {folder}", remedy)
    free = _free_gb(Path(folder))
    if free < LEAST_SHARED_GB:
        return warning(name, f"{folder}: {free:.1f} GB free", remedy)
    return ok(name, f"{folder}, {free:.0f} GB free")


def output_folder_checks(out: str) -> list[CheckResult]:
    """Write, rename, lock, and compare clocks in the folder of a study, or in its parent."""
    if is_remote(out):
        return [_bucket(out)]
    folder = Path(absolute(out))
    while not folder.exists():
        folder = folder.parent
    probe = folder / f".idhray-doctor-{uuid.uuid4().hex[:8]}"
    try:
        return _probed(folder, probe)
    except OSError as error:
        remedy = "choose another --out, or ask for the right to write there"
        return [failed("output folder", f"{folder}: {error.strerror or error}", remedy)]
    finally:
        for path in (probe, probe.with_suffix(".renamed")):
            path.unlink(missing_ok=True)


def _probed(folder: Path, probe: Path) -> list[CheckResult]:
    """Results of a file that is written, renamed and locked."""
    before = time.time()
    probe.write_bytes(b"idhray")
    skew = probe.stat().st_mtime - before
    renamed = probe.with_suffix(".renamed")
    os.replace(probe, renamed)
    if renamed.read_bytes() != b"idhray":
        text = f"{folder}: a renamed file is not read back"
        return [failed("output folder", text, "use another file system")]
    return [_space(folder), _locks(folder, renamed), _clock(folder, skew)]


def _space(folder: Path) -> CheckResult:
    name, free = "output folder", _free_gb(folder)
    if free < LEAST_FREE_GB:
        return failed(name, f"{folder}: {free:.1f} GB free", "choose another --out, or make room")
    if free < COMFORTABLE_GB:
        return warning(
            name,
            f"{folder}: {free:.0f} GB free",
            "the demo needs 1 GB; tiles of 266 patients need tens of GB",
        )
    return ok(name, f"{folder} can be written to, {free:.0f} GB free")


def _locks(folder: Path, file: Path) -> CheckResult:
    with file.open("rb") as stream:
        if lock(stream.fileno()) == "unsupported":
            text = f"{folder}: no locks of the kernel (flock)"
            return warning("locks", text, "leases are used; a killed run blocks it for a minute")
    return ok("locks", f"{folder}: held and freed")


def _clock(folder: Path, skew_s: float) -> CheckResult:
    if abs(skew_s) > LARGEST_SKEW_S:
        text = f"{folder}: its clock is {skew_s:+.0f} s from this machine's"
        return warning("clock", text, "run a time service (chrony) on both")
    return ok("clock", "that of the folder agrees with this machine's")


def _bucket(out: str) -> CheckResult:
    """Result of an object that is written, read and removed."""
    path = join(out, f".idhray-doctor-{uuid.uuid4().hex[:8]}")
    try:
        publish(path, b"idhray")
        same = read_bytes(path) == b"idhray"
        remove(path)
        gone = not exists(path)
    except (IdhrayError, OSError) as error:
        return failed("output folder", f"{out}: {error}", "check bucket, region and credentials")
    if not (same and gone):
        return failed("output folder", f"{out}: an object is not read back as written", "")
    return ok("output folder", f"{out}: writes, reads and removes")


def _free_gb(folder: Path) -> float:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free / GB
