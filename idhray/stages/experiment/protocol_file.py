"""Files that fix an experiment before its first training: protocol, folds and generators."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from idhray import ledger
from idhray.ancestry import ANCESTRY
from idhray.cohorts.folds import FOLDS_FILE, write_folds
from idhray.errors import SettingsChangedError, StorageError
from idhray.experiment.protocol import (
    Amendment,
    Protocol,
    merged_protocol,
    protocol_from,
    protocol_values,
)
from idhray.experiment.trials import Trial, planned_trials
from idhray.generator_records import GeneratorRecord, read_gate, read_generator
from idhray.ledger import Fate
from idhray.planning.experiment.printing import experiment_summary
from idhray.stages.experiment.generator_order import ORDER, recorded_entries
from idhray.stages.experiment.outcome import GENERATORS_FILE, PROTOCOL_FILE
from idhray.stages.experiment.plan import TrialPlan
from idhray.stages.experiment.selection import refuse_repeats_after_selection
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.stages.runtime.folder import DONE
from idhray.stats.arms.rule import needed_repeats
from idhray.storage import exists, join, publish_json, read_json

logger = logging.getLogger(__name__)

OF_TRAININGS = ("classifier", "budget", "seed")
"""Decisive values of a training itself. A finished training has the old ones for good."""
IMAGES_CHANGED = "images: changed after results; their trainings were run again"


def with_protocol(plan: TrialPlan, out: str, *, amend: str, unblind: bool = False) -> TrialPlan:
    """The plan with the protocol of the folder, continued; folds and protocol are written.

    Args:
        plan: Plan of the experiment.
        out: Folder of the experiment.
        amend: Reason to change the protocol after results; empty for none.
        unblind: Record that areas are shown from today, unless all trainings are done.
    """
    # Everything is refused before the first file changes: a refused command loses nothing.
    plan = continued_plan(plan, out, amend=amend)
    if unblind and not plan.protocol.unblinded and not exists(join(out, DONE)):
        today = date.today().isoformat()
        plan = replace(plan, protocol=replace(plan.protocol, unblinded=today))
    protocol = plan.protocol
    write_folds(join(out, FOLDS_FILE), plan.folds)
    publish_json(join(out, PROTOCOL_FILE), protocol_values(protocol))
    entries = generator_entries(plan, recorded_entries(out))
    if entries or not exists(join(out, GENERATORS_FILE)):
        ancestry = {ANCESTRY: list(plan.ancestry)} if plan.ancestry else {}
        publish_json(join(out, GENERATORS_FILE), {"generators": entries, **ancestry})
    logger.info("%s: protocol %s. %s", out, protocol.hash, protocol.detectable)
    return plan


def continued_plan(plan: TrialPlan, out: str, *, amend: str) -> TrialPlan:
    """The plan with the protocol of the folder, continued; nothing is written.

    Raises:
        ConfigError, SettingsChangedError: the protocol or finished trainings would change, and
            `amend` gives no reason.
        StorageError: there are trainings without a protocol.
    """
    path, fates = join(out, PROTOCOL_FILE), ledger.fates(out)
    earlier = protocol_from(read_json(path)) if exists(path) else None
    has_results = any(fate.status == "done" for fate in fates.values())
    if has_results and earlier is None:
        raise StorageError(
            f"{out}: {len(fates)} trainings, but no {PROTOCOL_FILE}; restore it, or choose another "
            "--out: a protocol that is written after results fixes nothing"
        )
    protocol = merged_protocol(
        earlier,
        plan.protocol,
        defaults=plan.settings.defaults(),
        has_results=has_results,
        amend=amend,
        today=date.today().isoformat(),
    )
    new_amendments = protocol.amendments[len(earlier.amendments) :] if earlier else ()
    if not protocol.detectable or new_amendments:  # other patients can show another gain
        protocol = replace(protocol, detectable=planned_detectable(plan))
    refuse_repeats_after_selection(out, protocol)
    changes = [change for amendment in new_amendments for change in amendment.changes]
    may_redo = bool(amend) and not any(change.startswith(OF_TRAININGS) for change in changes)
    protocol = _with_changed_trials(
        out, fates, replace(plan, protocol=protocol), amend=amend, may_redo=may_redo
    )
    return replace(plan, protocol=protocol)


def _with_changed_trials(
    out: str, fates: Mapping[str, Fate], plan: TrialPlan, *, amend: str, may_redo: bool
) -> Protocol:
    """The protocol, amended if finished trainings were of images that have changed since.

    All trainings that the protocol may have are compared.

    Raises:
        SettingsChangedError: there are such trainings, and they may not be run again.
    """
    protocol = plan.protocol
    changed = trial_hashes(possible_trials(plan), plan, fates)[1]
    if changed and not may_redo:
        raise changed_trials(out, changed)
    continued = [
        a for a in protocol.amendments if a.reason == amend and IMAGES_CHANGED in a.changes
    ]
    if not changed or continued:
        return protocol
    amendment = Amendment(date=date.today().isoformat(), reason=amend, changes=(IMAGES_CHANGED,))
    return replace(protocol, amendments=(*protocol.amendments, amendment))


def possible_trials(plan: TrialPlan) -> list[Trial]:
    """All trials that the protocol of a plan may have, fresh repeats included, as far as their
    generators are trained."""
    return planned_trials(
        plan.folds.numbers(),
        range(1, last_repeat(plan.protocol, plan.settings) + 1),
        [arm for arm in plan.protocol.arms if plan.has_images_of(arm)],
        plan.settings.classifiers,
        plan.settings.networks,
    )


def trial_hashes(
    trials: Sequence[Trial], plan: TrialPlan, fates: Mapping[str, Fate]
) -> tuple[dict[str, str], list[str]]:
    """Digests of trials, and the finished trials that were of other images or settings.

    Returns:
        Digest of each trial by name; for a finished one, as its version of the package made it.
        Names of the finished trials whose images, generators or settings have changed.
    """
    hashes = {trial.name: plan.trial_hash(trial) for trial in trials}
    changed = []
    for trial in trials:
        fate = fates.get(trial.name)
        if fate is None or fate.status != "done" or fate.settings_hash == hashes[trial.name]:
            continue
        if fate.settings_hash in plan.older_trial_hashes(trial):
            hashes[trial.name] = fate.settings_hash
        else:
            changed.append(trial.name)
    return hashes, changed


def changed_trials(out: str, changed: Sequence[str]) -> SettingsChangedError:
    """Refusal of finished trials that were of other images or settings."""
    return SettingsChangedError(
        f"{out}: {len(changed)} finished trainings were of other images, generators or settings "
        f"({changed[0]}, ...); give the old ones, or choose another --out. If only the images "
        "changed, --amend REASON runs them again; the comparison is then exploratory"
    )


def planned_detectable(plan: TrialPlan) -> str:
    """Gain that the planned experiment can show, in words; empty if it is too small to judge, or
    compares no arms."""
    if plan.settings.protocol.real_only:
        return ""
    labels, folds = list(plan.folds.labels().values()), len(plan.folds.numbers())
    if folds == 1:
        roles = plan.folds.roles(1)
        labels = [idh for name, idh in plan.folds.labels().items() if roles[name] == "test"]
    mutant, wildtype = labels.count("mutant"), labels.count("wildtype")
    repeats = plan.protocol.planned_repeats
    if min(mutant, wildtype) < 2 * folds or repeats < needed_repeats(folds):
        return ""
    return experiment_summary(mutant, wildtype, folds=folds, repeats=repeats)


def generator_entries(
    plan: TrialPlan, recorded: Sequence[Mapping[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """Generators of the experiment with their ancestry and the result of their gate.

    They name no folder, so that a study that was moved keeps its seal. Their order is left out of
    an experiment that an earlier version began without it.
    """
    entries: list[dict[str, Any]] = []
    has_order = all(ORDER in entry for entry in recorded or [])
    for folder in sorted(plan.seals):
        record, gate = read_generator(folder), read_gate(folder)
        state = "not tested" if gate is None else gate.state
        entries.append(
            {
                "generator": record.generator,
                "idh": record.idh,
                "fold": record.fold,
                "seed": record.seed,
                "weights": record.weights,
                "trained_on": record.trained_on,
                "patients": len(record.patients),
                "gate": state,
                "reasons": list(gate.reasons) if gate else [],
                **({ORDER: list(plan.seals).index(folder)} if has_order else {}),
                **declaration_of(record),
                **({"conditional": True} if record.conditional else {}),
            }
        )
    return entries


def declaration_of(record: GeneratorRecord) -> dict[str, str]:
    """Entries of a generator whose patients are declared; none for a recorded one."""
    if record.source == "recorded":
        return {}
    names = ("source", "declared_by", "declared_on")
    return {name: getattr(record, name) for name in names}


def last_repeat(protocol: Protocol, settings: ExperimentSettings) -> int:
    chosen_later = settings.protocol.selection == "validation"
    return protocol.repeats + (settings.protocol.fresh_repeats if chosen_later else 0)
