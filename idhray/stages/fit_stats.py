"""The statistics of predictions (Liu's tables 1 to 4) or of readings (Park's tables 1 to 3)."""

from dataclasses import dataclass
from typing import Any

from idhray.cohorts.manifest import patients_of, read_manifest
from idhray.errors import ConfigError
from idhray.stages.studies.statistics import fit_predictions, fit_readings
from idhray.stats.settings import PRESETS as PRESETS
from idhray.stats.settings import StatsSettings
from idhray.storage import absolute


@dataclass(frozen=True, kw_only=True)
class FitStatsFlags:
    """Flags of `idhray fit-stats`."""

    out: str
    """Folder for the CSV files, statistics.json and tables.html."""
    settings: StatsSettings
    """Conventions of the statistics."""
    predictions: tuple[str, ...] = ()
    """Folders of PREDICTIONS tables with validation and test patients: the tables of Liu et al.
    2020."""
    readings: str | None = None
    """A READINGS table (CSV, TSV, Parquet, or a folder of parts): the tables of Park et al.
    2021."""
    consensus: str | None = None
    """The completed list of cells on which readers differ (case, feature, consensus). A run without
    it writes the empty list beside `out`. Rows of a reader named `consensus` serve as well."""
    manifest: str | None = None
    """Manifest with ages and split, from `split-cohort` or `study`. Predictions need it; readings
    have no rows with age without it."""
    overwrite: bool = False
    """Delete what an earlier run with other settings or inputs left in the output folder, and start
    again."""


def fit_stats(flags: FitStatsFlags) -> dict[str, Any]:
    """Compute the tables and the verdict of a study, and print the main tables."""
    if bool(flags.predictions) == bool(flags.readings):
        raise ConfigError("give either --predictions (histology) or --readings (reader study)")
    out = absolute(flags.out)
    cohort = patients_of(read_manifest(flags.manifest)) if flags.manifest else None
    if flags.readings:
        consensus = absolute(flags.consensus) if flags.consensus else None
        return fit_readings(
            out,
            flags.settings,
            absolute(flags.readings),
            consensus,
            cohort,
            overwrite=flags.overwrite,
        )[0]
    if flags.consensus:
        raise ConfigError("--consensus belongs to --readings")
    if cohort is None:
        raise ConfigError("--predictions need --manifest, which holds the ages and the split")
    return fit_predictions(
        out, flags.settings, flags.predictions, cohort, overwrite=flags.overwrite
    )
