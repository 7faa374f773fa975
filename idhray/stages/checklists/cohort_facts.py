"""Facts on the patients of a study and on their files."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from idhray.cohorts.folds import FOLDS_FILE, Folds, folds_of_split, read_folds
from idhray.cohorts.manifest import LABELS, SPLITS, patients_of, read_manifest
from idhray.cohorts.manifest_notes import STUDY_NOTES, note_lines, study_notes
from idhray.errors import ManifestError
from idhray.ledger import Fate, fates
from idhray.report.checklists.guidelines import StudyFact
from idhray.stages.studies.study_cohort import COHORT_FILE
from idhray.storage import SETTINGS, exists, join

TABLES = ("tiles", "patches", "slices")
MOST_REASONS = 5
MOST_LEVELS = 12
COVARIATES = ("age", "sex", "grade", "diagnosis", "site")


def cohort_facts(study: str) -> dict[str, StudyFact]:
    """Facts from `cohort.parquet`, the notes of the manifest and the folds."""
    if not exists(join(study, COHORT_FILE)):
        return {}
    rows = read_manifest(join(study, COHORT_FILE))
    people = patients_of(rows)
    labeled = people[people["idh"].isin(LABELS)]
    facts = {
        "cohort.patients": _of(f"{len(people)} patients", "patient"),
        "cohort.status": _of(_status(people), "idh"),
        "cohort.mutant": _of(f"{int((people['idh'] == 'mutant').sum())} mutant", "idh"),
        "cohort.missing": _of(_missing(people), ", ".join(("idh", *COVARIATES))),
    }
    for name in ("cohort", "site"):
        levels = people[name][people[name] != ""]
        if len(levels):
            facts[f"cohort.{name}s"] = _of(_counted(levels), name)
            facts[f"cohort.{name}_count"] = _of(str(levels.nunique()), name)
    for name in ("sex", "grade", "diagnosis"):
        values = labeled[["idh", name]][labeled[name].map(_is_given)]
        if len(values):
            facts[f"cohort.{name}"] = _of(_by_class(values, name), f"idh, {name}")
    if people["age"].notna().any():
        facts["cohort.age"] = _of(_ages(labeled), "idh, age")
    return facts | _notes(study) | _folds(study, people)


def _of(text: str, columns: str) -> StudyFact:
    return StudyFact(text=text, source=f"{COHORT_FILE}: {columns}")


def _is_given(value: Any) -> bool:
    return value is not None and value != "" and value == value  # noqa: PLR0124 - NaN


def _status(people: pd.DataFrame) -> str:
    counts = Counter(people["idh"])
    unknown = f", {counts['']} of unknown status" if counts[""] else ""
    return f"{counts['mutant']} mutant, {counts['wildtype']} wildtype{unknown}"


def _missing(people: pd.DataFrame) -> str:
    parts = [f"{name} {int((~people[name].map(_is_given)).sum())}" for name in ("idh", *COVARIATES)]
    return f"missing of {len(people)} patients: {', '.join(parts)}"


def _counted(values: Sequence[Any]) -> str:
    """Levels with their numbers of patients, the most frequent first."""
    counts = Counter(_level(value) for value in values).most_common()
    shown = ", ".join(f"{name} {count}" for name, count in counts[:MOST_LEVELS])
    return shown + (f" and {len(counts) - MOST_LEVELS} more" if len(counts) > MOST_LEVELS else "")


def _level(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _by_class(values: pd.DataFrame, name: str) -> str:
    groups = values.groupby("idh")[name]
    return "; ".join(f"{label}: {_counted(sorted(group, key=_level))}" for label, group in groups)


def _ages(labeled: pd.DataFrame) -> str:
    texts = []
    for label, ages in labeled.dropna(subset=["age"]).groupby("idh")["age"]:
        low, median, high = ages.quantile([0.25, 0.5, 0.75])
        texts.append(f"{label}: median {median:g} years (quartiles {low:g} to {high:g})")
    return "; ".join(texts)


def _notes(study: str) -> dict[str, StudyFact]:
    """Rows and cells that the importer of the manifest left out."""
    lines = [*note_lines(study_notes(study))]
    text = "; ".join(lines[:MOST_REASONS])
    return {"manifest.left_out": StudyFact(text=text, source=STUDY_NOTES)} if lines else {}


def _folds(study: str, people: pd.DataFrame) -> dict[str, StudyFact]:
    """Design and sizes of the folds; without a file of folds, of the split."""
    path = join(study, FOLDS_FILE)
    try:
        folds = read_folds(path) if exists(path) else folds_of_split(people)
    except ManifestError:
        return {}
    source = f"{FOLDS_FILE}: fold, role, by" if exists(path) else f"{COHORT_FILE}: split"
    count = len(folds.numbers())
    design = (
        f"cross-validation with {count} folds, in which each patient is tested once"
        if count > 1
        else "one split into training, validation and test patients"
    )
    unit = "sites" if folds.by == "site" else "patients"
    facts = {
        "folds.design": design,
        "folds.unit": f"{unit} are kept whole: no patient is in two roles of a fold",
        "folds.sizes": _sizes(folds),
        "folds.roles": _roles(folds, people),
    }
    return {name: StudyFact(text=text, source=source) for name, text in facts.items() if text}


def _sizes(folds: Folds) -> str:
    """Patients and mutants of each role, as the mean over folds."""
    rows = folds.table.assign(mutant=folds.table["idh"] == "mutant")
    means = rows.groupby("role")["mutant"].agg(["size", "sum"]) / len(folds.numbers())
    texts = [
        f"{role} {_short(means['size'][role])} patients ({_short(means['sum'][role])} mutant)"
        for role in SPLITS
        if role in means.index
    ]
    return f"{', '.join(texts)}{' (means over folds)' if len(folds.numbers()) > 1 else ''}"


def _short(number: float) -> str:
    """Number with one decimal, if it is not whole."""
    return f"{round(number, 1):g}"


def _roles(folds: Folds, people: pd.DataFrame) -> str:
    """Age, sex and class of each role, pooled over folds; empty without ages."""
    if people["age"].isna().all():
        return ""
    rows = folds.table.merge(people[["patient", "age", "sex"]], on="patient", how="left")
    texts = []
    for role in SPLITS:
        of_role = rows[rows["role"] == role]
        if len(of_role):
            sexes = of_role["sex"][of_role["sex"] != ""]
            women = f", {(sexes == 'F').mean():.0%} women" if len(sexes) else ""
            mutant = (of_role["idh"] == "mutant").mean()
            age = of_role["age"].median()
            texts.append(f"{role}: {mutant:.0%} mutant, median age {age:g} years{women}")
    return "; ".join(texts)


def input_facts(study: str) -> dict[str, StudyFact]:
    """Facts from the ledgers of the tables of images."""
    ledgers = {name: fates(join(study, name)) for name in TABLES if _has_table(study, name)}
    ledgers = {name: ledger for name, ledger in ledgers.items() if ledger}
    if not ledgers:
        return {}
    source = ", ".join(f"{name}/_ledger" for name in ledgers)
    flow = "; ".join(f"{name}: {_tally(ledger)}" for name, ledger in ledgers.items())
    left_out = [f for ledger in ledgers.values() for f in ledger.values() if f.status != "done"]
    reasons = Counter(fate.error.rpartition(": ")[2] for fate in left_out)
    shown = "; ".join(f"{n} x {text}" for text, n in reasons.most_common(MOST_REASONS))
    facts = {
        "inputs.flow": StudyFact(text=flow, source=f"{source}: status"),
        "inputs.left_out": StudyFact(text=shown or "none", source=f"{source}: status, error"),
    }
    mpps = [fate.mpp for fate in ledgers.get("tiles", {}).values() if fate.mpp]
    if mpps:
        text = f"{min(mpps):g} to {max(mpps):g} um per pixel at full resolution"
        facts["inputs.mpp"] = StudyFact(text=text, source="tiles/_ledger: mpp")
    return facts


def _has_table(study: str, name: str) -> bool:
    return exists(join(study, name, SETTINGS))


def _tally(ledger: dict[str, Fate]) -> str:
    counts = Counter(fate.status for fate in ledger.values())
    return ", ".join(f"{counts[name]} {name}" for name in ("done", "skipped", "failed"))
