"""The protocol: what is compared and how it is judged, written before the first training.

After the first result, a change of anything that decides the verdict is refused, or recorded as an
amendment with its reason. Arms and repeats may be added; each is recorded with its date.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from idhray.config import differences, settings_dict, settings_from, settings_hash
from idhray.errors import ConfigError
from idhray.experiment.arms import RIVALS, parse_arm
from idhray.experiment.classifiers import kinds_of, values_of_kind
from idhray.experiment.settings import ProtocolSettings
from idhray.stats.arms.rule import DecisionRule

DECISIVE = (
    *(
        "folds_digest",
        "fold_count",
        "fold_by",
        "primary",
        "counts",
        "metric",
        "margin",
        "selection",
    ),
    *("fresh_repeats", "budget", "generators", "stop_early", "train_per_class"),
    *("eval_per_patient", "classifier", "seed"),
)
"""Values that may not change after the first result, except by an amendment."""


@dataclass(frozen=True, kw_only=True)
class Amendment:
    """A change of the protocol after results existed."""

    date: str
    reason: str
    changes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """Everything that `protocol.json` holds."""

    decisive: Mapping[str, Any]
    """Values of `DECISIVE` by name."""
    written: str
    """Date of the first version."""
    planned_repeats: int
    """Repeats that the verdict is judged on; repeats added after results are descriptive."""
    repeats: int
    """Repeats to train."""
    arms: Mapping[str, str]
    """Arm -> date on which it joined, in the order of training."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """Arm that cannot be trained -> reason."""
    added_repeats: Mapping[str, str] = field(default_factory=dict)
    """Number of repeats -> date on which they were raised to it."""
    amendments: tuple[Amendment, ...] = ()
    detectable: str = ""
    """Gain that the experiment was planned to show, in words; see `idhray plan`."""
    added_classifiers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Classifier that joined after the first result -> its settings, and the date `joined`. It
    describes and does not judge."""
    networks: Mapping[str, str] = field(default_factory=dict)
    """Network that the arm `real` compares without a verdict -> date on which it joined."""
    unblinded: str = ""
    """Day since which areas of the arms are shown before all trainings are done; empty if they
    are not."""
    withdrawals: Mapping[str, str] = field(default_factory=dict)
    """Day of a withdrawal and digest of the folds without the patient -> remark. It is no
    amendment."""

    @property
    def hash(self) -> str:
        """Digest of the decisive values, 16 hex digits."""
        return settings_hash(dict(self.decisive))

    @property
    def exploratory(self) -> str:
        """Reason of the first amendment; empty if the protocol was never amended."""
        return self.amendments[0].reason if self.amendments else ""

    @property
    def primary(self) -> str | None:
        """Arm of the primary comparison; None until validation has selected it, and empty if the
        arm `real` alone is trained."""
        primary: str | None = self.decisive["primary"]
        return primary

    def classifier_values(self, defaults: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Classifier -> the settings that decide its results.

        Args:
            defaults: Defaults of the settings of the network.
        """
        recorded = self.decisive["classifier"]
        values = {kind: values_of_kind(recorded, kind, defaults) for kind in kinds_of(recorded)}
        for kind, joined in self.added_classifiers.items():
            values[kind] = {name: value for name, value in joined.items() if name != "joined"}
        return values


def new_protocol(
    settings: ProtocolSettings,
    *,
    arms: Sequence[str],
    absent: Mapping[str, str],
    primary: str | None,
    counts: Sequence[int],
    folds_digest: str,
    classifier: Mapping[str, Any],
    seed: int,
    today: str,
    networks: Sequence[str] = (),
) -> Protocol:
    """Protocol of settings whose counts and arms are resolved.

    Args:
        settings: Settings of the experiment.
        arms: Names of the arms that can be trained.
        absent: Arm that cannot be trained -> reason.
        primary: Arm of the primary comparison; None if validation selects it.
        counts: Numbers of synthetic images.
        folds_digest: Digest of the folds.
        classifier: Values of the classifiers that decide their results.
        seed: Seed of the experiment.
        today: Date of today.
        networks: Networks that are compared without a verdict.
    """
    values = settings_dict(settings)
    computed = {
        "folds_digest": folds_digest,
        "primary": primary,
        # Counts beside the primary one may join later; validation selects among these.
        "counts": list(counts) if primary is None else None,
        "metric": "AUC by patient, mean over folds",
        "classifier": dict(classifier),
        "seed": seed,
    }
    return Protocol(
        decisive={name: computed.get(name, values.get(name)) for name in DECISIVE},
        written=today,
        planned_repeats=settings.repeats,
        repeats=settings.repeats,
        arms=dict.fromkeys(arms, today),
        absent=dict(absent),
        networks=dict.fromkeys(networks, today),
    )


def merged_protocol(
    earlier: Protocol | None,
    planned: Protocol,
    *,
    defaults: Mapping[str, Any],
    has_results: bool,
    amend: str,
    today: str,
) -> Protocol:
    """Protocol of a run that continues an earlier one, or replaces a protocol without results.

    Args:
        earlier: Protocol that the folder holds.
        planned: Protocol of this run.
        defaults: Defaults of the decisive values: a value that an earlier version did not write
            counts as its default.
        has_results: True if a training is finished.
        amend: Reason for a change after results; empty for none.
        today: Date of today.

    Raises:
        ConfigError: a decisive value changed after results, and no reason is given.
    """
    if earlier is None or not has_results:
        return planned
    changes = _changes(earlier, planned, defaults)
    if changes and not amend:
        raise ConfigError(
            f"the protocol was fixed before the first training ({'; '.join(changes)}); give the "
            "old values, choose another --out, or give --amend REASON: the comparison is then "
            "exploratory"
        )
    amendments = earlier.amendments
    if changes:
        amendments += (Amendment(date=today, reason=amend, changes=changes),)
    added = dict(earlier.added_repeats)
    if planned.repeats > earlier.repeats:
        added[str(planned.repeats)] = today
    return replace(
        earlier,
        decisive=planned.decisive if changes else earlier.decisive,
        repeats=max(planned.repeats, earlier.repeats),
        arms=dict(earlier.arms) | {a: today for a in planned.arms if a not in earlier.arms},
        absent=planned.absent,
        networks={**planned.networks, **earlier.networks},
        added_repeats=added,
        amendments=amendments,
        added_classifiers=_added_classifiers(earlier, planned, defaults, bool(changes), today),
    )


def _changes(earlier: Protocol, planned: Protocol, defaults: Mapping[str, Any]) -> tuple[str, ...]:
    """Changed decisive values. A classifier that joins or is left out changes no verdict, unless
    it is the first one."""
    network_defaults = defaults.get("classifier", {})
    before, after = (each.classifier_values(network_defaults) for each in (earlier, planned))
    shared = [kind for kind in after if kind in before]

    def compared(protocol: Protocol, values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        first = list(kinds_of(protocol.decisive["classifier"])[:1])
        of_shared = {name: value for kind in shared for name, value in values[kind].items()}
        return {**protocol.decisive, "classifier": {"kinds": first, **of_shared}}

    return tuple(differences(compared(earlier, before), compared(planned, after), defaults))


def _added_classifiers(
    earlier: Protocol,
    planned: Protocol,
    defaults: Mapping[str, Any],
    amended: bool,
    today: str,
) -> dict[str, Mapping[str, Any]]:
    """Classifiers that joined so far; those of an amended protocol are among its values."""
    network_defaults = defaults.get("classifier", {})
    new = planned.classifier_values(network_defaults)
    if amended:
        return {kind: v for kind, v in earlier.added_classifiers.items() if kind not in new}
    before = earlier.classifier_values(network_defaults)
    joined = {kind: {**v, "joined": today} for kind, v in new.items() if kind not in before}
    return {**earlier.added_classifiers, **joined}


def protocol_values(protocol: Protocol) -> dict[str, Any]:
    """Content of `protocol.json`."""
    values = settings_dict(protocol)
    for name in ("networks", "unblinded"):  # as earlier versions wrote it
        if not values[name]:
            del values[name]
    return {**values, "hash": protocol.hash, "digest": settings_hash(values)}


def protocol_from(values: Mapping[str, Any]) -> Protocol:
    """Protocol from the values of `protocol_values`.

    Raises:
        ConfigError: a value is missing, or the hash or the digest does not belong to the values.
    """
    fields = {name: value for name, value in values.items() if name not in ("hash", "digest")}
    digest = settings_hash(fields)
    try:
        amendments = tuple(settings_from(Amendment, a) for a in fields.pop("amendments", []))
        protocol = Protocol(**fields, amendments=amendments)
    except (TypeError, AttributeError) as error:
        raise ConfigError(f"not a protocol ({error})") from None
    if protocol.hash != values.get("hash"):
        raise ConfigError(
            f"the protocol was changed by hand (hash {values.get('hash')}, its values have "
            f"{protocol.hash}); restore the file"
        )
    if values.get("digest", digest) != digest:
        raise ConfigError(
            f"the protocol was changed by hand (digest {values['digest']}, its values have "
            f"{digest}); restore the file"
        )
    return protocol


def _rivals(primary: str) -> dict[str, str]:
    """Kind -> arm that the primary arm must beat, at its count."""
    arm, online = parse_arm(primary), primary.partition("+")[1:]
    return {kind: f"{kind}:{arm.count}{''.join(online)}" for kind in RIVALS}


def decision_rule(
    protocol: Protocol,
    primary: str,
    *,
    fresh: tuple[int, ...] = (),
    failed_gates: tuple[str, ...] = (),
) -> DecisionRule:
    """Rule by which the statistics judge the primary comparison.

    Args:
        protocol: The protocol.
        primary: Arm of the primary comparison, fixed or selected on validation; empty if the arm
            `real` alone was trained.
        fresh: Repeats that were trained anew after the selection; empty if there was none.
        failed_gates: Generators that failed their gate and were allowed.
    """
    rivals = _rivals(primary) if primary else {}
    return DecisionRule(
        primary=primary,
        # A rival that was not trained cannot be beaten: without it the answer is never `helps`.
        controls=tuple(name for name in rivals.values() if name not in protocol.absent),
        absent_controls={
            name: protocol.absent[name] for name in rivals.values() if name in protocol.absent
        },
        margin=protocol.decisive["margin"],
        generators=protocol.decisive["generators"],
        equal_steps=True,
        baseline_steps_differ=protocol.decisive["budget"] == "epochs",
        stopping=protocol.decisive["stop_early"],
        repeats=fresh or tuple(range(1, protocol.planned_repeats + 1)),
        exploratory=protocol.exploratory,
        unblinded=protocol.unblinded,
        failed_gates=failed_gates,
        planned_repeats=len(fresh) or protocol.planned_repeats,
        planned_folds=protocol.decisive["fold_count"],
    )
