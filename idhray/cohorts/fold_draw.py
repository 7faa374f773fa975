"""Draw of the folds of a study, by patient or by site.

Each labeled patient is tested in one fold. The validation patients of a fold come from its training
part. Folds are drawn once; `fold_extend.py` adds newcomers later.
"""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from idhray.chance import generator, seed_for
from idhray.cohorts.folds import Folds, FoldUnit, folds_of_roles, folds_of_split, listed
from idhray.cohorts.manifest import LABELS, with_split
from idhray.cohorts.site_groups import balanced_groups
from idhray.errors import ManifestError

logger = logging.getLogger(__name__)

VALIDATION_SHARE = 1 / 8
"""Share of all patients that a fold validates on.

Source: Liu et al. 2020, Results, 6:1:1.
"""
STRATA = ("grade",)
MIN_TESTED = 2
"""Fewest patients of a class in the test part of a fold; an AUC needs a variance."""


def draw_folds(
    cohort: pd.DataFrame,
    *,
    count: int,
    seed: int,
    by: FoldUnit = "patient",
    strata: Sequence[str] = STRATA,
    validation_share: float = VALIDATION_SHARE,
) -> Folds:
    """Draw the folds of a cohort. Patients without a label are left out.

    By patient, test and validation parts are stratified by label, and within a label by `strata`.
    By site, the patients of a site are tested in the same fold and the classes are balanced by a
    local search; validation patients are those of whole sites where sites of the right size exist,
    else a warning names the fold. One fold is the patient split of the manifest, drawn if needed.

    Args:
        cohort: Patients, as `patients_of` returns them.
        count: Number of folds.
        seed: Seed of the draw.
        by: Unit that stays together.
        strata: Columns of the cohort; one that it lacks has no effect.
        validation_share: Share of all patients that each fold validates on.

    Raises:
        ManifestError: A test part would have fewer than 2 patients of a class; the message tells
            the largest number of folds that works. A patient has no site.
    """
    if count < 1:
        raise ManifestError(f"{count} folds; 1 or more are needed")
    if count == 1 and by == "site":
        raise ManifestError("one fold is the split by patient; draw 2 folds or more by site")
    if count == 1:
        return folds_of_split(with_split(cohort, seed))
    patients = labeled_patients(cohort, by)
    labels = patients["idh"].to_dict()
    if by == "site":
        tested = _tested_by_site(patients, count, seed)
    else:
        tested = _tested_by_patient(patients, count, seed, strata)
    roles: dict[int, dict[str, str]] = {}
    for fold in range(1, count + 1):
        training = patients[[tested[name] != fold for name in patients.index]]
        sizes = validation_sizes(labels, training["idh"].to_dict(), validation_share)
        validation = _validation_patients(
            training, sizes, fold=fold, seed=seed, by=by, strata=strata
        )
        roles[fold] = {
            name: "test" if tested[name] == fold else "val" if name in validation else "train"
            for name in labels
        }
    return folds_of_roles(labels, roles, by)


def labeled_patients(cohort: pd.DataFrame, by: FoldUnit) -> pd.DataFrame:
    """Patients with a label, sorted, as the index.

    Raises:
        ManifestError: Sites are needed, and a patient has none.
    """
    patients = cohort[cohort["idh"].isin(LABELS)].drop_duplicates("patient")
    patients = patients.sort_values("patient").set_index("patient")
    if by == "site":
        sites = patients["site"] if "site" in patients else pd.Series("", index=patients.index)
        if without := [str(name) for name in sites.index[sites.isna() | (sites == "")]]:
            raise ManifestError(
                f"no site for {listed(without)}; fill in the column `site`, or draw by patient"
            )
    return patients


def stratum_of(patients: pd.DataFrame, strata: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Label and strata of each patient."""
    columns = ["idh", *(name for name in strata if name in patients)]
    rows = patients[columns].fillna("").astype(str).itertuples(name=None)
    return {patient: tuple(values) for patient, *values in rows}


def validation_sizes(
    labels: Mapping[str, str], training: Mapping[str, str], share: float
) -> dict[str, int]:
    """Number of validation patients of each label.

    It is the share of all patients of the label, but 2 or more, and at most half of the training
    part.
    """
    sizes: dict[str, int] = {}
    for label in LABELS:
        everyone = sum(value == label for value in labels.values())
        trained = sum(value == label for value in training.values())
        sizes[label] = max(1, min(trained // 2, max(2, round(share * everyone))))
    return sizes


def _tested_by_patient(
    patients: pd.DataFrame, count: int, seed: int, strata: Sequence[str]
) -> dict[str, int]:
    """Fold in which each patient is tested: strata are dealt in turn, like cards."""
    sizes = patients["idh"].value_counts()
    smallest = min(int(sizes.get(label, 0)) for label in LABELS)
    if smallest // count < MIN_TESTED:
        counts = " and ".join(f"{sizes.get(label, 0)} {label}" for label in LABELS)
        raise ManifestError(
            f"{count} folds of {counts} patients: a test part would have fewer than {MIN_TESTED} "
            f"of a class; {_advice(smallest // MIN_TESTED)}"
        )
    strata_of = stratum_of(patients, strata)
    order = sorted(strata_of, key=lambda name: (strata_of[name], seed_for(seed, "folds", name)))
    start = seed_for(seed, "first fold") % count
    return {name: 1 + (start + i) % count for i, name in enumerate(order)}


def _tested_by_site(patients: pd.DataFrame, count: int, seed: int) -> dict[str, int]:
    """Fold in which each patient is tested: that of the patient's site."""
    sites, counts = _site_counts(patients)

    def groups_of(number: int) -> dict[str, int] | None:
        if number > len(sites) or counts.sum(0).min() < MIN_TESTED * number:
            return None
        random = generator(seed, "folds by site", number)
        shares = np.full(number, 1 / number)
        division = balanced_groups(counts, shares, least=MIN_TESTED, random=random)
        return (
            dict(zip(sites, division.groups.tolist(), strict=True)) if division.complete else None
        )

    groups = groups_of(count)
    if groups is None:
        largest = next((k for k in range(count - 1, 1, -1) if groups_of(k) is not None), 0)
        raise _site_error(patients, count, largest)
    return {name: 1 + groups[site] for name, site in patients["site"].items()}


def _site_error(patients: pd.DataFrame, count: int, largest: int) -> ManifestError:
    """Refusal of folds by site, with the sites that hold each class."""
    reasons = []
    for label in LABELS:
        sizes = patients.loc[patients["idh"] == label, "site"].value_counts()
        holders = ", ".join(f"{site}: {n}" for site, n in sizes.head(3).items())
        more = f" and {len(sizes) - 3} more" if len(sizes) > 3 else ""
        reasons.append(f"{label} patients are at {len(sizes)} site(s) ({holders}{more})")
    return ManifestError(
        f"{count} folds by site: a test part would have fewer than {MIN_TESTED} of a class; "
        f"{'; '.join(reasons)}; {_advice(largest)}" + ("" if largest else ", or draw by patient")
    )


def _advice(largest: int) -> str:
    if largest < 2:
        return "no number of folds works; add patients"
    return f"the largest number of folds that works is {largest}"


def _site_counts(patients: pd.DataFrame) -> tuple[list[str], NDArray[np.int64]]:
    """Names of the sites, sorted, and (sites, classes) patients."""
    sizes = pd.crosstab(patients["site"], patients["idh"]).reindex(
        columns=list(LABELS), fill_value=0
    )
    return [str(site) for site in sizes.index], sizes.to_numpy(dtype=np.int64)


def _validation_patients(
    training: pd.DataFrame,
    sizes: Mapping[str, int],
    *,
    fold: int,
    seed: int,
    by: FoldUnit,
    strata: Sequence[str],
) -> set[str]:
    """Validation patients of a fold, from its training part."""
    if by == "site":
        sites = _validation_sites(training, sizes, fold, seed)
        if sites:
            return set(training.index[training["site"].isin(sites)])
        logger.warning(
            "fold %d: no sites of its training part have about %s patients together; its "
            "validation patients share sites with training patients (test patients do not)",
            fold,
            " and ".join(f"{sizes[label]} {label}" for label in LABELS),
        )
    strata_of = stratum_of(training, strata)
    validation: set[str] = set()
    for label, size in sizes.items():
        names = sorted(
            (name for name in strata_of if strata_of[name][0] == label),
            key=lambda name: (strata_of[name], seed_for(seed, "validation", fold, name)),
        )
        # Equal steps through the strata take the same share of each.
        offset = generator(seed, "validation", fold, label).random()
        validation |= {names[int((i + offset) * len(names) / size)] for i in range(size)}
    return validation


def _validation_sites(
    training: pd.DataFrame, sizes: Mapping[str, int], fold: int, seed: int
) -> set[str]:
    """Sites whose patients validate; none if no set of sites has about the right size.

    About: of each class 1 or more, and at most twice the number, with one or more left to train.
    """
    sites, counts = _site_counts(training)
    ideal = np.array([sizes[label] for label in LABELS])
    share = float((ideal / counts.sum(0)).mean())
    random = generator(seed, "validation sites", fold)
    division = balanced_groups(counts, np.array([share, 1 - share]), least=1, random=random)
    validation = division.groups == 0
    if not division.complete or (counts[validation].sum(0) > 2 * ideal).any():
        return set()
    return {site for site, chosen in zip(sites, validation, strict=True) if chosen}
