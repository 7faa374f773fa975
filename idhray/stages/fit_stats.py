"""Statistics of predictions (arms, or the tables of Liu et al.) or readings (Park et al.)."""

import logging
from dataclasses import dataclass
from typing import Any

from idhray.cohorts.manifest import patients_of, read_manifest
from idhray.config import default_values
from idhray.errors import ConfigError
from idhray.stages.experiment.outcome import read_outcome
from idhray.stages.runtime.dry_run import with_dry_run
from idhray.stages.studies.arm_rows import (
    arm_rows,
    experiment_folder,
    has_arms,
    tests_alone,
    with_arm_of_count,
)
from idhray.stages.studies.experiment_statistics import fit_experiment, fit_sweep
from idhray.stages.studies.external_statistics import fit_external
from idhray.stages.studies.statistics import fit_predictions, fit_readings
from idhray.stats.arms.columns import PROTOCOL_COLUMNS, prediction_rows
from idhray.stats.arms.generators import rule_of_file
from idhray.stats.external.scores import is_external
from idhray.stats.settings import PRESETS as PRESETS
from idhray.stats.settings import StatsSettings
from idhray.storage import absolute

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FitStatsFlags:
    """Flags of `idhray fit-stats`."""

    out: str
    """Folder for the CSV files, statistics.json and tables.html."""
    settings: StatsSettings
    """Conventions of the statistics."""
    predictions: tuple[str, ...] = ()
    """Predictions with arms, from a folder or from CSV, TSV or Parquet files of any program: the
    arms are compared. Columns: patient (or case), label (or idh, truth; mutant and wildtype, or 1
    and 0), arm, repeat, p_mutant; optional: fold, split, generator, model. Rows of split
    `external`, as `predict --models` writes them, or test patients alone of one classifier: an
    external cohort is described. Other folders of PREDICTIONS tables without arms: the tables of
    Liu et al. 2020."""
    baseline: str = "real"
    """Predictions with arms: the arm without added images. This flag and the next two are for
    predictions of other programs; the folder of `sweep` has a protocol."""
    primary: str | None = None
    """Predictions with arms: the arm that is judged. Default: the only arm of synthetic images."""
    margin: float = 0.02
    """Predictions with arms: differences in AUC this small are irrelevant."""
    no_more_real: str = ""
    """Predictions with arms: the reason why no arm of further real images (more-real) exists, such
    as `all slices are in use`. Without the arm or a reason the answer is never `helps`."""
    readings: str | None = None
    """A READINGS table (CSV, TSV, Parquet, or a folder of parts): the tables of Park et al.
    2021."""
    consensus: str | None = None
    """The completed list of cells on which readers differ (case, feature, consensus). A run without
    it writes the empty list beside `out`. Rows of a reader named `consensus` serve as well."""
    manifest: str | None = None
    """Manifest with ages and split, from `split-cohort` or `study`. Predictions without arms need
    it. Predictions with arms have no age, sex, grade or strata without it, and readings no rows
    with age."""
    overwrite: bool = False
    """Delete what an earlier run with other settings or inputs left in the output folder, and start
    again."""
    dry_run: bool = False
    """Make all checks, print what would be read and written and the state of the folder, and
    stop."""


@with_dry_run(
    reads=("predictions", "readings", "consensus", "manifest"), writes="tables, figures and verdict"
)
def fit_stats(flags: FitStatsFlags) -> dict[str, Any]:
    """Compute the tables and the verdict of a study, and print the main tables."""
    if bool(flags.predictions) == bool(flags.readings):
        raise ConfigError("give either --predictions (histology) or --readings (reader study)")
    out = absolute(flags.out)
    cohort = patients_of(read_manifest(flags.manifest)) if flags.manifest else None
    arms = not flags.readings and has_arms(flags.predictions)
    if flags.primary is not None and not arms:
        raise ConfigError("--primary belongs to --predictions with arms")
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
    if folder := experiment_folder(flags.predictions):
        _refuse_other_rule(flags, folder)
        return fit_sweep(out, folder, cohort, flags.settings, overwrite=flags.overwrite)[0]
    if arms:
        inputs, rows = arm_rows(flags.predictions)
        if is_external(prediction_rows(rows, source="predictions")):
            return fit_external(
                out,
                rows,
                cohort,
                flags.settings,
                inputs=inputs,
                primary=flags.primary or "",
                overwrite=flags.overwrite,
            )
        if not set(PROTOCOL_COLUMNS) <= set(rows.columns):
            logger.warning(
                "the protocol of these predictions is not known: the verdict holds only if arm, "
                "margin and repeats were fixed before any result. Of a sweep, give its folder or "
                "the predictions.csv of its statistics"
            )
        rule = rule_of_file(
            prediction_rows(rows, source="predictions"),
            baseline=flags.baseline,
            primary=flags.primary,
            margin=flags.margin,
            no_more_real=flags.no_more_real,
        )
        return fit_experiment(
            out,
            rows,
            cohort,
            rule,
            flags.settings,
            inputs=inputs,
            overwrite=flags.overwrite,
        )[0]
    if tests_alone(flags.predictions):
        inputs, rows = arm_rows(flags.predictions)
        return fit_external(
            out,
            with_arm_of_count(rows),
            cohort,
            flags.settings,
            inputs=inputs,
            overwrite=flags.overwrite,
        )
    if cohort is None:
        raise ConfigError(
            "--predictions without arms need --manifest, which holds the ages and the split"
        )
    return fit_predictions(
        out, flags.settings, flags.predictions, cohort, overwrite=flags.overwrite
    )


def _refuse_other_rule(flags: FitStatsFlags, folder: str) -> None:
    """Refuse flags that contradict the protocol of a sweep, which alone decides its verdict."""
    rule, defaults = read_outcome(folder).rule, default_values(FitStatsFlags)
    for name in ("baseline", "primary", "margin"):
        value, fixed = getattr(flags, name), getattr(rule, name)
        if value not in (fixed, defaults[name]):
            raise ConfigError(
                f"{folder}: its protocol has {name} {fixed}, but --{name} is {value}; leave the "
                "flag out"
            )
