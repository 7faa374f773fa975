"""Newcomers join the folds of a study; no patient in them moves.

A newcomer is tested in the fold that tests fewest patients of its stratum, and in each other fold
has the role that lacks most of its stratum. By site, a newcomer follows the patients of its site,
and a new site goes whole. A hash of the name decides ties.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from idhray.chance import seed_for
from idhray.cohorts.fold_draw import STRATA, VALIDATION_SHARE, labeled_patients, stratum_of
from idhray.cohorts.folds import Folds, folds_of_roles, listed
from idhray.cohorts.manifest import LABELS
from idhray.cohorts.site_groups import group_costs
from idhray.cohorts.split_draw import joined_split
from idhray.errors import ManifestError


@dataclass(frozen=True)
class _GrowingFolds:
    """Folds that newcomers are written into."""

    labels: Mapping[str, str]
    """Label of each patient, newcomers included."""
    roles: dict[int, dict[str, str]]
    """Fold -> patient -> role; newcomers are added."""
    seed: int
    validation_share: float

    def shares(self) -> dict[str, float]:
        """Ideal share of validation and of training."""
        held_out = self.validation_share + 1 / len(self.roles)
        return {"val": self.validation_share, "train": 1 - held_out}

    def lacking_role(self, name: str, fold: int, peers: Sequence[str]) -> str:
        """Validation or training: the role that lacks more of the peers against its share."""
        shares, sizes = self.shares(), Counter(self.roles[fold][peer] for peer in peers)

        def deficit(role: str) -> tuple[float, int]:
            lacking = round(shares[role] * (len(peers) + 1) - sizes[role], 9)
            return lacking, seed_for(self.seed, "role", name, fold, role)

        return max(shares, key=deficit)


def extended_folds(
    folds: Folds,
    cohort: pd.DataFrame,
    seed: int,
    *,
    strata: Sequence[str] = STRATA,
    validation_share: float = VALIDATION_SHARE,
) -> Folds:
    """Folds with the labeled patients of a cohort that are not in them yet.

    Args:
        folds: Written folds. All their patients keep their roles, also those not in the cohort.
        cohort: Patients, as `patients_of` returns them.
        seed: Seed of the order of the newcomers and of ties.
        strata: Columns of the cohort by which newcomers are spread within a label (by patient).
        validation_share: Share of all patients that each fold validates on.

    Raises:
        ManifestError: A patient has another label than in the folds. By site: a newcomer has no
            site, or the patients of its site are tested in different folds.
    """
    patients = labeled_patients(cohort, folds.by)
    labels = folds.labels()
    _refuse_other_labels(labels, cohort)
    newcomers = sorted(set(patients.index) - set(labels), key=lambda n: seed_for(seed, "joins", n))
    if not newcomers:
        return folds
    labels |= {name: str(patients.loc[name, "idh"]) for name in newcomers}
    if folds.numbers() == (1,):  # a split
        return folds_of_roles(labels, {1: joined_split(labels, folds.roles(1), seed)})
    roles = {fold: folds.roles(fold) for fold in folds.numbers()}
    growing = _GrowingFolds(labels, roles, seed, validation_share)
    if folds.by == "site":
        _place_by_site(growing, newcomers, patients["site"].to_dict())
    else:
        strata_of: dict[str, tuple[str, ...]] = {name: (label,) for name, label in labels.items()}
        strata_of |= stratum_of(patients, strata)
        for name in newcomers:
            _place(growing, name, strata_of)
    return folds_of_roles(labels, roles, folds.by)


def _refuse_other_labels(labels: Mapping[str, str], cohort: pd.DataFrame) -> None:
    cohort_labels = dict(zip(cohort["patient"], cohort["idh"], strict=True))
    changed = [name for name in labels if cohort_labels.get(name) not in (None, labels[name])]
    if changed:
        name = changed[0]
        raise ManifestError(
            f"another IDH status than in the folds: {listed(changed)} ({name}: {labels[name]} in "
            f"the folds, {cohort_labels[name] or 'none'} in the manifest); draw the folds anew"
        )


def _place(growing: _GrowingFolds, name: str, strata_of: Mapping[str, tuple[str, ...]]) -> None:
    """Give one newcomer its roles: a fold that tests it, and validation or training elsewhere."""
    stratum = strata_of[name]

    def tested(fold: int) -> tuple[int, int, int, int]:
        roles = growing.roles[fold]
        tests = [strata_of[each] for each, role in roles.items() if role == "test"]
        of_label = sum(other[0] == stratum[0] for other in tests)
        tie = seed_for(growing.seed, "tested", name, fold)
        return tests.count(stratum), of_label, len(tests), tie

    test_fold = min(growing.roles, key=tested)
    for fold, roles in growing.roles.items():
        peers = [each for each in roles if strata_of[each] == stratum]
        roles[name] = "test" if fold == test_fold else growing.lacking_role(name, fold, peers)


def _place_by_site(
    growing: _GrowingFolds, newcomers: Sequence[str], sites: Mapping[str, str]
) -> None:
    """Give the newcomers of each site the roles of that site; new sites go whole, largest first."""
    by_site: dict[str, list[str]] = {}
    for name in newcomers:
        by_site.setdefault(sites[name], []).append(name)
    written: dict[str, list[str]] = {}
    for name in sorted(set(growing.roles[1]) & set(sites)):
        written.setdefault(sites[name], []).append(name)
    for site in sorted(set(by_site) & set(written)):
        _follow_site(growing, site, by_site[site], written[site])
    new_sites = sorted(
        set(by_site) - set(written),
        key=lambda site: (-len(by_site[site]), seed_for(growing.seed, "joins", site)),
    )
    for site in new_sites:
        _place_site(growing, site, by_site[site])


def _follow_site(
    growing: _GrowingFolds, site: str, joining: Sequence[str], written: Sequence[str]
) -> None:
    """Give newcomers the roles of the patients of their site.

    Where these both train and validate in a fold, each newcomer gets the role that lacks more.
    """
    for fold, roles in growing.roles.items():
        of_site = {roles[name] for name in written}
        if "test" in of_site and len(of_site) > 1:
            raise ManifestError(
                f"site {site}: of its patients in the folds, fold {fold} tests some and not "
                "others; the column `site` has changed since the folds were drawn"
            )
        for name in joining:
            peers = [each for each in roles if growing.labels[each] == growing.labels[name]]
            lacking = growing.lacking_role(name, fold, peers)
            roles[name] = lacking if len(of_site) > 1 else next(iter(of_site))


def _place_site(growing: _GrowingFolds, site: str, joining: Sequence[str]) -> None:
    """Give a new site the fold, and in each other fold the role, by which classes balance best."""
    change = _class_sizes(joining, growing.labels)
    sizes = np.maximum(1, _class_sizes([*growing.roles[1], *joining], growing.labels))

    def rise(fold: int, role: str, share: float) -> tuple[float, int]:
        """Rise of the cost if the site joins this role, and the tie break."""
        names = [name for name, value in growing.roles[fold].items() if value == role]
        total = _class_sizes(names, growing.labels)
        before, after = group_costs(np.stack([total, total + change]), np.full(2, share), sizes, 0)
        return round(float(after - before), 12), seed_for(growing.seed, "site", site, fold, role)

    number, shares = len(growing.roles), growing.shares()
    test_fold = min(growing.roles, key=lambda fold: rise(fold, "test", 1 / number))
    for fold, roles in growing.roles.items():
        best = min(shares, key=lambda role: rise(fold, role, shares[role]))
        roles.update(dict.fromkeys(joining, "test" if fold == test_fold else best))


def _class_sizes(names: Sequence[str], labels: Mapping[str, str]) -> NDArray[np.int64]:
    counts = Counter(labels[name] for name in names)
    return np.array([counts[label] for label in LABELS], dtype=np.int64)
