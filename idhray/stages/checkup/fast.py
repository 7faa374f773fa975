"""Checks that take milliseconds, which a study runs before it starts."""

from collections.abc import Callable

from idhray.errors import ConfigError
from idhray.stages.checkup.folders import (
    output_folder_checks,
    shared_memory,
    temporary_folder,
)
from idhray.stages.checkup.machine import cpus, memory
from idhray.stages.checkup.result import CheckResult, checked


def fast_findings(out: str | None) -> list[CheckResult]:
    """Results of the checks that take milliseconds: CPUs, memory and folders."""
    listed: list[tuple[str, Callable[[], CheckResult]]] = [
        ("CPUs", cpus),
        ("memory", memory),
        ("temporary folder", temporary_folder),
        ("shared memory", shared_memory),
    ]
    findings = [checked(name, check, "") for name, check in listed]
    return [*findings, *(output_folder_checks(out) if out else [])]


def refuse_unready(out: str) -> None:
    """Stop a study before it starts where it would stop later.

    Raises:
        ConfigError: A fast check failed.
    """
    lines = [finding.line() for finding in fast_findings(out) if finding.state == "failed"]
    if lines:
        raise ConfigError("\n  ".join(["this machine is not ready:", *lines]))
