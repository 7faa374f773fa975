"""Readiness of a machine or cluster: one line for each check, with the remedy."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from idhray.errors import one_line
from idhray.stages.checkup.fast import fast_findings
from idhray.stages.checkup.machine import ray_starts
from idhray.stages.checkup.result import CheckResult, failed


@dataclass(frozen=True, kw_only=True)
class DoctorFlags:
    """Flags of `idhray doctor`."""

    out: str | None = None
    """Folder that a study would write to, on a disk or in a bucket; checked if given."""
    address: str | None = None
    """Address of a running Ray cluster, whose nodes are asked for their versions. Without it, Ray
    starts on this machine."""
    fast: bool = False
    """Leave out the start of Ray and the search for hosts: what takes a second, as `study` does
    before it starts."""


def doctor(flags: DoctorFlags) -> dict[str, Any]:
    """Check whether a study can run here: one line for each check, and the remedy if it cannot.

    The exit code is 1 if something would stop a study. A warning would not.
    """
    findings = [*fast_findings(flags.out), *_libraries(hosts=not flags.fast)]
    if not flags.fast:
        findings += ray_starts(flags.address)
    counts = Counter(finding.state for finding in findings)
    return {
        "text": "\n".join(finding.line() for finding in findings),
        "checks": [asdict(finding) for finding in findings],
        **{state: counts[state] for state in ("ok", "warning", "failed")},
        "exit_code": int(counts["failed"] > 0),
    }


def _libraries(*, hosts: bool) -> Iterator[CheckResult]:
    """Results of the checks of libraries; one that cannot be imported is a result, too."""
    try:
        # Imported here: a broken library must end in a line, not in a traceback.
        from idhray.stages.checkup import libraries  # noqa: PLC0415
    except Exception as error:  # noqa: BLE001  a broken library raises anything
        remedy = "install idhray again in an empty environment: pip install . -c constraints.txt"
        yield failed("libraries", f"cannot be imported: {one_line(error)}", remedy)
        return
    yield from libraries.library_findings(hosts=hosts)
