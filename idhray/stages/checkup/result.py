"""Result of one check, and the run of a check that may break."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from idhray.errors import one_line

CheckState = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """Result of one check."""

    check: str
    state: CheckState
    """failed: a study would stop. warning: it would run, slower or with less."""
    text: str
    remedy: str = ""

    def line(self) -> str:
        """Result as one line for people."""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.state:<8} {self.check}: {self.text}{remedy}"


def ok(check: str, text: str) -> CheckResult:
    """Result of a check that found nothing wrong."""
    return CheckResult(check=check, state="ok", text=text)


def warning(check: str, text: str, remedy: str) -> CheckResult:
    """Result of a check that found something a study can do without."""
    return CheckResult(check=check, state="warning", text=text, remedy=remedy)


def failed(check: str, text: str, remedy: str) -> CheckResult:
    """Result of a check that found something a study would stop at."""
    return CheckResult(check=check, state="failed", text=text, remedy=remedy)


def checked(name: str, check: Callable[[], CheckResult], remedy: str) -> CheckResult:
    """Result of a check; an error of any kind is a failure with the remedy."""
    try:
        return check()
    except Exception as error:  # noqa: BLE001  a broken library raises anything
        return failed(name, one_line(error), remedy)
