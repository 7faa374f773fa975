"""Arms of the experiment: the training sets that are compared with each other."""

from dataclasses import dataclass
from typing import Literal, cast, get_args

from idhray.errors import ConfigError

ArmKind = Literal[
    "real", "synthetic", "duplicate", "more-real", "classic", "shuffled", "fewer-patients"
]
ControlKind = Literal["duplicate", "more-real", "classic", "shuffled"]
GENERATED: tuple[ArmKind, ...] = ("synthetic", "shuffled")
"""Arms that need a generator."""
RIVALS: tuple[ControlKind, ...] = ("duplicate", "more-real")
"""Controls that synthetic images must beat before they are said to help."""
ONLINE = "+online"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One training set: the real images of the training patients, and images that are added."""

    kind: ArmKind
    count: int = 0
    """Added images, half of them for each class."""
    share: float = 1.0
    """Share of the training patients whose images are used."""
    online: bool = False
    """True if every shown image is also turned, mirrored and jittered at random."""

    def __post_init__(self) -> None:
        adds = self.kind not in ("real", "fewer-patients")
        if self.kind not in get_args(ArmKind):
            raise ConfigError(f"arm {self.kind!r} is none of {', '.join(get_args(ArmKind))}")
        if adds != (self.count > 0) or self.count % 2 or self.count < 0:
            raise ConfigError(
                f"arm {self.kind}: the number of added images must be even and above 0 "
                f"(0 for real and fewer-patients), got {self.count}"
            )
        if (self.kind == "fewer-patients") != (self.share < 1) or not 0 < self.share <= 1:
            raise ConfigError(f"arm {self.kind}: a share of patients in (0, 1), got {self.share}")

    @property
    def name(self) -> str:
        """Name in tables, such as real, synthetic:600, fewer-patients:0.5, real+online."""
        number = f":{self.share:g}" if self.kind == "fewer-patients" else f":{self.count}"
        plain = self.kind if self.kind == "real" else self.kind + number
        return plain + ONLINE * self.online


REAL = Arm(kind="real")


def parse_arm(name: str) -> Arm:
    """Arm of a name.

    Raises:
        ConfigError: the text names no arm.
    """
    plain = name.removesuffix(ONLINE)
    kind, _, number = plain.partition(":")
    online = name.endswith(ONLINE)
    try:
        if kind == "fewer-patients":
            return Arm(kind="fewer-patients", share=float(number), online=online)
        if kind in get_args(ArmKind):
            return Arm(kind=cast(ArmKind, kind), count=int(number or 0), online=online)
    except ValueError:
        pass
    raise ConfigError(
        f"{name!r} names no arm; arms are real, fewer-patients:SHARE, and KIND:COUNT with "
        f"{', '.join(k for k in get_args(ArmKind) if k not in ('real', 'fewer-patients'))}"
    )
