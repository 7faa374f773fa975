"""The augmentation experiment: a training for each fold, repeat and arm, and their predictions.

protocol.json   arms, margin and rules of the verdict, written before the first training
folds.parquet   role of each patient in each fold
part-*.parquet  PREDICTIONS of validation and test patients, one part for each training
trials/         TRIALS, one row for each training
models/         weights and cards of the trainings that --keep-models names

Images are decoded once, and every training reads its share from Ray's object store. A training that
is lost with its worker starts again from its last epoch; finished ones are not run again.
"""

from typing import Any

from idhray import ledger
from idhray.classify.trial_models import MODELS_FOLDER
from idhray.cohorts.folds import FOLDS_FILE
from idhray.config import identity_of
from idhray.errors import ConfigError, SettingsChangedError
from idhray.experiment.protocol import protocol_values
from idhray.stages.experiment.classifier_table import classifier_report_table
from idhray.stages.experiment.feature_tables import ENCODER_FILE
from idhray.stages.experiment.generator_order import recorded_entries
from idhray.stages.experiment.outcome import (
    GENERATORS_FILE,
    PROTOCOL_FILE,
    SELECTION_FILE,
    attention_by_arm,
    read_outcome,
)
from idhray.stages.experiment.protocol_file import (
    continued_plan,
    generator_entries,
    possible_trials,
    trial_hashes,
    with_protocol,
)
from idhray.stages.experiment.rates import dry_run_text
from idhray.stages.experiment.selection import with_selected_count
from idhray.stages.experiment.settings import PRESETS as PRESETS
from idhray.stages.experiment.sweep_flags import SweepFlags as SweepFlags
from idhray.stages.experiment.sweep_plan import planned_sweep
from idhray.stages.experiment.trial import TRIALS_FOLDER, delete_states
from idhray.stages.experiment.trial_runs import (
    fresh_trials,
    planned_by_protocol,
    run_planned,
    run_trials,
)
from idhray.stages.runtime.folder import DONE, stage_folder
from idhray.stages.runtime.resuming import is_open
from idhray.stages.runtime.state import UP_TO_DATE, StageState
from idhray.stages.studies.paper_tables import plain_text
from idhray.stats.arms.rule import needed_repeats
from idhray.storage import absolute, exists, join, publish_json, read_json
from idhray.table_parts import parts

OWNS = (
    *(PROTOCOL_FILE, SELECTION_FILE, GENERATORS_FILE, FOLDS_FILE, TRIALS_FOLDER, MODELS_FOLDER),
    ENCODER_FILE,
)
IDENTITY = identity_of(inputs={"stage": "sweep", "experiment": 1}, dropped=("images",))


def sweep(flags: SweepFlags) -> dict[str, Any]:
    """Train every arm in every fold and repeat, and predict the held-out patients.

    The protocol is written first; after the first result it changes by --amend only. The same
    command continues. More repeats or arms may be added later.
    """
    images, out = absolute(flags.images), absolute(flags.out)
    plan = planned_sweep(flags)
    if flags.dry_run:
        return {"out": out, "text": dry_run_text(plan, flags.cpus_per_trial, flags.keep_models)}
    with stage_folder(out, IDENTITY, overwrite=flags.overwrite, owns=OWNS, grows=not flags.amend):
        plan = with_protocol(plan, out, amend=flags.amend, unblind=flags.unblind)
        if plan.encoder:
            publish_json(join(out, ENCODER_FILE), dict(plan.encoder))
        trials = run_planned(plan, out, images, flags)
        primary = plan.protocol.primary
        if plan.settings.protocol.selection == "validation":
            primary, plan = with_selected_count(plan, out)
            trials += fresh_trials(plan, primary)
            run_trials(trials, plan, out, images, flags)
        fates = ledger.fates(out)
        delete_states(out, [name for name, fate in fates.items() if fate.status == "done"])
    rows = ledger.tally(fates)["rows"]
    result = {"out": out, "trainings": len(trials), "predictions": rows, "primary": primary}
    if "abmil" in plan.settings.classifiers:
        result["attention"] = attention_by_arm(read_outcome(out).trials)
    if plan.settings.networks or plan.settings.protocol.real_only:
        result["text"] = plain_text(classifier_report_table(read_outcome(out)))
    return result


def sweep_before_generators(flags: SweepFlags) -> None:
    """Train the arms that need no generator, while generators train; `sweep` continues.

    The protocol is written as `sweep` would write it. The folder is not finished by this.
    """
    images, out = absolute(flags.images), absolute(flags.out)
    plan = planned_sweep(flags, generators_follow=True)
    grows = not flags.amend
    with stage_folder(out, IDENTITY, overwrite=False, owns=OWNS, grows=grows, finishes=False):
        plan = with_protocol(plan, out, amend=flags.amend, unblind=flags.unblind)
        repeats = plan.protocol.repeats
        if plan.settings.protocol.stop_early:
            repeats = min(repeats, needed_repeats(len(plan.folds.numbers())))
        run_trials(planned_by_protocol(plan, repeats), plan, out, images, flags)


def sweep_state(flags: SweepFlags) -> StageState:
    """State of an experiment; nothing is trained or written.

    It is out of date if finished trainings or the protocol would change. With `--amend` these are
    to do.
    """
    out, plan = absolute(flags.out), planned_sweep(flags)
    fates, path = ledger.fates(out), join(out, PROTOCOL_FILE)
    try:
        plan = continued_plan(plan, out, amend=flags.amend)
    except (ConfigError, SettingsChangedError) as error:
        return StageState(status="out of date", reason=str(error), is_finished=bool(fates))
    hashes, changed = trial_hashes(possible_trials(plan), plan, fates)
    finished = {name for name, fate in fates.items() if fate.status == "done"} - set(changed)
    trials = planned_by_protocol(plan, plan.protocol.repeats)
    left = len(trials) - sum(trial.name in finished for trial in trials)
    recorded = recorded_entries(out)
    is_written = (
        exists(join(out, DONE))
        and exists(path)
        and read_json(path) == protocol_values(plan.protocol)
        and recorded == generator_entries(plan, recorded)
    )
    existing_parts = set(parts(out))
    lost = any(is_open(out, fates[name], existing_parts) for name in hashes if name in fates)
    if is_written and not changed and not lost:
        return UP_TO_DATE
    seconds = [fates[name].seconds for name in finished]
    reason = f"{len(changed)} of other images or settings, " if changed else ""
    return StageState(
        status="to do",
        reason=f"{reason}{left} of {len(trials)} trainings",
        seconds=left * sum(seconds) / len(seconds) if seconds else None,
    )
