"""Result of a fidelity evaluation, and its rows for CSV and JSON."""

import math
from dataclasses import dataclass
from typing import Any

from idhray.errors import ConfigError
from idhray.fidelity.scores import METRICS


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One metric in one channel, of the generator and of real images (the floor).

    Every draw compares n generated images with n real ones of one half of the patients, and n real
    images of the other half with the same reference. The figures are means over the draws.
    """

    channel: str
    metric: str
    value: float
    value_min: float
    value_max: float
    floor: float
    """Real against real images of other patients; NaN with one patient. See `halves`."""
    floor_min: float
    floor_max: float
    n: int
    """Images on either side of every comparison."""
    n_patients: int
    """Patients behind the n real images of the reference; the smallest number of all draws."""
    draws: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """All figures of one generator."""

    extractor: str
    reference: str
    """Name of the real images, such as the split that they come from."""
    figures: tuple[Figure, ...]
    left_out: tuple[str, ...] = ()
    """Channels of one value only, which no figure covers."""

    def figure(self, metric: str, channel: str | None = None) -> Figure:
        """Figure of a metric, in the first channel if none is named.

        Raises:
            ConfigError: There is no such figure.
        """
        for figure in self.figures:
            if figure.metric == metric and channel in (None, figure.channel):
                return figure
        raise ConfigError(
            f"no figure {metric} of {channel}; metrics are {', '.join(METRICS)}, channels "
            f"{', '.join(dict.fromkeys(figure.channel for figure in self.figures))}"
        )

    def rows(self) -> list[dict[str, Any]]:
        """One row per figure, for CSV and JSON: values that are not finite become None."""
        shared = {"extractor": self.extractor, "reference": self.reference}
        left_out_notes = [
            f"left out, as all its pixels are equal: {name}" for name in self.left_out
        ]
        return [
            shared
            | {name: _plain(value) for name, value in vars(figure).items()}
            | {"notes": "; ".join([*figure.notes, *left_out_notes])}
            for figure in self.figures
        ]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
