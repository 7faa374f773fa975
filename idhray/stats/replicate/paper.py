"""Which paper to recompute, and its blocks in the order of print."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from idhray.errors import ConfigError
from idhray.stats.replicate import liu_untested, park_untested
from idhray.stats.replicate.cells import Block
from idhray.stats.replicate.liu_age import age_block
from idhray.stats.replicate.liu_cohort import tables56
from idhray.stats.replicate.liu_groups import table4
from idhray.stats.replicate.liu_rows import tables123
from idhray.stats.replicate.liu_text import liu_text
from idhray.stats.replicate.park_counts import table1
from idhray.stats.replicate.park_diagnosis import table3
from idhray.stats.replicate.park_multivariable import multivariable
from idhray.stats.replicate.park_text import text_claims
from idhray.stats.replicate.park_turing import kappas, turing
from idhray.stats.replicate.park_univariable import univariable

Name = Literal["park2021", "liu2020"]
NARROWEST = 110


@dataclass(frozen=True, kw_only=True)
class Paper:
    """The paper whose printed cells are recomputed."""

    name: Name = "park2021"
    """Whose tables."""
    width: int = 140
    """Characters per line of the printed tables."""

    def __post_init__(self) -> None:
        if self.name not in get_args(Name):
            raise ConfigError(f"name: there is {', '.join(get_args(Name))}, not {self.name!r}")
        if self.width < NARROWEST:
            raise ConfigError(f"width must be {NARROWEST} or more, got {self.width}")


def park2021() -> list[Block]:
    """Every cell of Park et al. 2021 that printed data can check."""
    return [
        table1(),
        univariable(),
        multivariable(),
        table3(),
        turing(),
        kappas(),
        text_claims(),
        park_untested.untested(),
    ]


def liu2020() -> list[Block]:
    """Every cell of Liu et al. 2020 that printed data can check."""
    return [*tables123(), table4(), tables56(), liu_text(), age_block(), liu_untested.untested()]


BLOCKS: dict[Name, Callable[[], list[Block]]] = {"park2021": park2021, "liu2020": liu2020}
