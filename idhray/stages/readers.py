"""Reader studies: blinded cases and a form for readers; their answers back into READINGS.

OUT/cases/CASE.png   CE-T1w (left) and FLAIR (right) of a case, real or synthetic
OUT/form.csv         a row per case to be filled in, one copy for each reader
OUT/form.html        the cases and the words that the form takes
OUT/key/key.csv      what each case is; not for readers
"""

import io
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import tyro
from numpy.typing import NDArray

from idhray.chance import generator
from idhray.cohorts.cell_text import with_names
from idhray.cohorts.manifest import LABELS, patients_of, read_manifest
from idhray.cohorts.modality import COHORT
from idhray.cohorts.text_table import read_text_table
from idhray.config import Identity
from idhray.errors import ConfigError, TableError
from idhray.images import decode, encode, resize
from idhray.leakage import refuse_leaks
from idhray.phantom.mri.image_reader import read_features
from idhray.phantom.mri.readers import ERROR_RATE, TURING_RATE, simulated_reading
from idhray.report.html import form_html
from idhray.stages.runtime.dry_run import DRY_RUN, dry_run_result, inputs_of
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.stages.runtime.state import StageState, folder_state
from idhray.stats.papers.park.features import FEATURE_NAMES, FEATURES
from idhray.stats.papers.park.readings import CONSENSUS
from idhray.storage import absolute, exists, join, publish, read_bytes
from idhray.table_parts import parts, read_part, read_table
from idhray.tables import SYNTHETIC

OWNS = ("cases", "form.csv", "form.html", "key")
PICTURE_PX = 256
KEY = ("case", "patient", "idh", "split", "real", "source")


@dataclass(frozen=True, kw_only=True)
class ReadersFlags:
    """Flags of `idhray readers`."""

    kind: Annotated[Literal["form", "collect", "simulate"], tyro.conf.Positional]
    """form: make blinded cases from slices and synthetic images. collect: collect completed forms.
    simulate: two programs read the images and err at a stated rate, for phantom cohorts only."""
    out: str
    """form: a folder. collect, simulate: the READINGS file (.csv or .parquet)."""
    slices: str | None = None
    """SLICES table. One slice of each patient of known IDH status is shown: the slice with the most
    tumor if masks were given, else with the most brain."""
    synthetic: tuple[str, ...] = ()
    """SYNTHETIC tables made from MRI."""
    count: int | None = None
    """Synthetic cases of each table. Default: the number of training patients of its class (Park et
    al. 2021: 38 of either)."""
    grades: tuple[int, ...] = ()
    """Show only patients with a tumor of these grades. Default: all grades. Park et al. 2021 showed
    grade 4 to readers, and trained the GAN on grade 3 as well."""
    form: str | None = None
    """Folder that `readers form` made."""
    answers: tuple[str, ...] = ()
    """Completed copies of form.csv, one for each reader and named after the reader. A file named
    consensus.csv settles the cells on which readers differ."""
    error_rate: float = ERROR_RATE
    """Simulated readers: fraction of features that are read wrong."""
    turing_rate: float = TURING_RATE
    """Simulated readers: fraction of cases in which real and synthetic are told apart."""
    seed: int = 0
    """Seed of the order and names of cases, and of simulated errors."""
    overwrite: bool = False
    """Replace an existing folder or file."""
    dry_run: bool = False
    """Make all checks, print what would be written, and stop."""


def readers(flags: ReadersFlags) -> dict[str, Any]:
    """Make blinded cases for readers (form), collect their answers, or simulate readers."""
    out = absolute(flags.out)
    if flags.kind == "form":
        if flags.slices is None:
            raise ConfigError("readers form needs --slices")
        if flags.dry_run:
            return dry_run_result(
                out,
                form_state(flags),
                reads=inputs_of(flags, ("slices", "synthetic")),
                writes="cases, form and key of a reader study",
                overwrite=flags.overwrite,
            )
        tables = tuple(map(absolute, flags.synthetic))
        return make_form(
            absolute(flags.slices),
            tables,
            out,
            flags.count,
            grades=flags.grades,
            seed=flags.seed,
            overwrite=flags.overwrite,
        )
    if flags.form is None:
        raise ConfigError(f"readers {flags.kind} needs --form, the folder that `readers form` made")
    if exists(out) and not flags.overwrite:
        raise ConfigError(f"{out}: exists already; choose another name, or --overwrite")
    form = absolute(flags.form)
    key = read_key(form)
    if flags.kind == "collect":
        rows = collected(key, {_name(path): _form_of(path) for path in flags.answers})
    else:
        rows = simulated(
            form, key, flags.seed, error_rate=flags.error_rate, turing_rate=flags.turing_rate
        )
    if flags.dry_run:
        return {"readings": out, DRY_RUN: True, "cases": len(key), "rows": len(rows)}
    publish_readings(out, rows)
    return {"readings": out, "readers": sorted(set(rows["reader"])), "cases": len(key)}


def make_form(
    slices: str,
    synthetic: tuple[str, ...],
    out: str,
    count: int | None,
    *,
    grades: tuple[int, ...],
    seed: int,
    overwrite: bool,
) -> dict[str, Any]:
    """Choose the cases, blind them, and write the files that readers need."""
    for folder in synthetic:
        refuse_leaks(slices, [folder])
    identity = _form_identity(slices, synthetic, count, grades=grades, seed=seed)
    with stage_folder(out, identity, overwrite=overwrite, owns=OWNS) as recorded:
        cases = real_cases(slices, grades)
        for folder in sorted(
            synthetic, key=lambda folder: recorded["synthetic"].index(seal(folder))
        ):
            cases += synthetic_cases(folder, cases, count)
        order = generator(seed, "reader cases").permutation(len(cases))
        key = []
        for number, position in enumerate(order, start=1):
            case = {**cases[int(position)], "case": f"case-{number:03d}"}
            publish(
                join(out, "cases", f"{case['case']}.png"), encode(reader_picture(case.pop("image")))
            )
            key.append({name: case[name] for name in KEY})
        table = pd.DataFrame(key)
        write_form(out, _empty_form(table["case"]))
        publish(join(out, "key", "key.csv"), _csv(table))
    real = int(table["real"].sum())
    return {"form": out, "cases": len(table), "real": real, "synthetic": len(table) - real}


def write_form(out: str, form: pd.DataFrame) -> None:
    """Write the form that readers fill in, as a table and as a page."""
    publish(join(out, "form.csv"), _csv(form))
    words = [(f.name, f.label, list(f.levels.items())) for f in FEATURES]
    publish(join(out, "form.html"), form_html(list(form["case"]), words).encode())


def form_state(flags: ReadersFlags) -> StageState:
    """State of the folder of a form; no case is drawn."""
    slices, synthetic = absolute(flags.slices or ""), tuple(map(absolute, flags.synthetic))
    identity = _form_identity(slices, synthetic, flags.count, grades=flags.grades, seed=flags.seed)
    return folder_state(absolute(flags.out), identity, inputs=("slices", "synthetic"))


def _form_identity(
    slices: str,
    synthetic: tuple[str, ...],
    count: int | None,
    *,
    grades: tuple[int, ...],
    seed: int,
) -> Identity:
    """Values that decide the cases of a form and their order."""
    values = {
        "stage": "readers",
        "slices": seal(slices),
        "synthetic": sorted(seal(folder) for folder in synthetic),
        "count": count,
        "grades": list(grades),
        "seed": seed,
    }
    return Identity(values, unordered=frozenset({"synthetic"}))


def real_cases(slices: str, grades: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    """One slice of every patient whose IDH status is known, and whose grade is one of `grades`.

    Raises:
        TableError: there is no such patient.
    """
    cohort = patients_of(read_manifest(join(slices, COHORT)))
    fits = set(cohort["patient"][cohort["grade"].isin([str(g) for g in grades]) | (not grades)])
    largest: dict[str, tuple[tuple[float, float], str, int]] = {}
    cases: dict[str, dict[str, Any]] = {}
    for path in parts(slices):
        names = ["patient", "idh", "split", "study", "z_mm", "brain_fraction", "tumor_fraction"]
        for row, values in enumerate(read_part(path, names).to_pylist()):
            patient = values["patient"]
            size = (values["tumor_fraction"] or 0.0, values["brain_fraction"])
            eligible = values["idh"] in LABELS and patient in fits
            if eligible and size > largest.get(patient, ((-1.0, 0.0), "", 0))[0]:
                largest[patient] = (size, path, row)
                cases[patient] = {
                    **{name: values[name] for name in ("patient", "idh", "split")},
                    "real": True,
                    "source": f"{values['study']} at {values['z_mm']:.1f} mm",
                }
    if not largest:
        grade = f"and grade {' or '.join(map(str, grades))}" if grades else ""
        raise TableError(f"{slices}: no slice of a patient of known IDH status {grade}".rstrip())
    return [
        {**cases[patient], "image": _image(path, row)}
        for patient, (_, path, row) in sorted(largest.items())
    ]


def synthetic_cases(
    folder: str, real: list[dict[str, Any]], count: int | None
) -> list[dict[str, Any]]:
    """The first images of a SYNTHETIC table.

    Raises:
        TableError: there are fewer than asked for.
    """
    table = read_table(folder, SYNTHETIC, ["index", "idh"]).to_pandas()
    label = str(table["idh"].iloc[0])
    if count is None:
        training = (case for case in real if case["split"] == "train" and case["real"])
        count = sum(case["idh"] == label for case in training)
    if count > len(table):
        raise TableError(f"{folder}: {count} synthetic cases requested, the table has {len(table)}")
    places = []
    for path in parts(folder):
        for row, index in enumerate(read_part(path, ["index"])["index"].to_pylist()):
            if index < count:
                places.append((index, path, row))
    return [
        {
            "patient": "",
            "idh": label,
            "split": "train",
            "real": False,
            "source": f"synthetic {label} {index}",
            "image": _image(path, row),
        }
        for index, path, row in sorted(places)
    ]


def _image(path: str, row: int) -> NDArray[np.uint8]:
    return decode(read_part(path, ["image"])["image"][row]["bytes"].as_py())


def reader_picture(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """CE-T1w beside FLAIR, gray, 256 px each: (256, 512) uint8."""
    whole = resize(image, PICTURE_PX) if len(image) != PICTURE_PX else image
    return np.hstack([whole[..., 0], whole[..., 1]])


def pair_of(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image that `reader_picture` was made from: (256, 256, 3), CE-T1w, FLAIR, null."""
    gray = picture[..., 0]
    left, right = np.hsplit(gray, 2)
    return np.stack([left, right, np.zeros_like(left)], axis=-1)


def _empty_form(cases: "pd.Series[str]") -> pd.DataFrame:
    return pd.DataFrame({"case": cases, "judged_real": "", **dict.fromkeys(FEATURE_NAMES, "")})


def read_key(form: str) -> pd.DataFrame:
    """The key of a form: patient, status and source of each case.

    Raises:
        StorageError: the form is not there or not finished.
    """
    seal(form)
    key = read_text_table(join(form, "key", "key.csv"))
    return key.assign(real=key["real"].str.lower().isin(("true", "1")))


def _form_of(path: str) -> pd.DataFrame:
    """The completed form of one reader."""
    names = ("case", "judged_real", *FEATURE_NAMES)
    return with_names(read_text_table(absolute(path)), names, path).map(str.strip)


def collected(key: pd.DataFrame, answers: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """READINGS from completed forms.

    Args:
        answers: Reader -> form.

    Raises:
        ConfigError: no form was given.
        TableError: a form lacks a column, or has a case twice or one that is not in the key.
    """
    if not answers:
        raise ConfigError("readers collect needs --answers, the completed forms")
    rows = []
    for reader, form in answers.items():
        if missing := [n for n in ("case", "judged_real", *FEATURE_NAMES) if n not in form.columns]:
            raise TableError(f"form of {reader}: no column {', '.join(missing)}")
        if strange := sorted(set(form["case"]) - set(key["case"])):
            raise TableError(f"form of {reader}: case {strange[0]} is not of this form")
        if form["case"].duplicated().any():
            twice = form.loc[form["case"].duplicated(), "case"].iloc[0]
            raise TableError(f"form of {reader}: case {twice} is there twice")
        filled = form[(form[["judged_real", *FEATURE_NAMES]] != "").any(axis=1)]
        rows.append(filled.merge(key, on="case").assign(reader=reader))
    return pd.concat(rows, ignore_index=True)[_columns()]


def simulated(
    form: str, key: pd.DataFrame, seed: int, *, error_rate: float, turing_rate: float
) -> pd.DataFrame:
    """READINGS of two programs and their consensus, which holds the measured features."""
    rates: dict[str, Any] = {"error_rate": error_rate, "turing_rate": turing_rate}
    rows = []
    for case in key.to_dict("records"):
        picture = decode(read_bytes(join(form, "cases", f"{case['case']}.png")))
        features = read_features(pair_of(picture))
        about: dict[str, Any] = {
            "real": bool(case["real"]),
            "case": str(case["case"]),
            "seed": seed,
        }
        for reader in (1, 2):
            rows.append({**case, **simulated_reading(features, reader=reader, **about, **rates)})
        rows.append({**case, **features, "reader": CONSENSUS, "judged_real": ""})
    return without_needless_consensus(pd.DataFrame(rows)[_columns()])


def without_needless_consensus(table: pd.DataFrame) -> pd.DataFrame:
    """READINGS whose consensus rows hold only the cells on which the readers differ."""
    consensus = table["reader"] == CONSENSUS
    readers = table[~consensus].pivot(index="case", columns="reader", values=list(FEATURE_NAMES))
    settled = table[consensus].copy()
    for name in FEATURE_NAMES:
        answers = readers[name].loc[settled["case"]].to_numpy()
        agree = (answers == answers[:, :1]).all(axis=1)
        settled.loc[agree, name] = ""
    settled["judged_real"] = ""
    settled = settled[(settled[list(FEATURE_NAMES)] != "").any(axis=1)]
    return pd.concat([table[~consensus], settled], ignore_index=True)


def publish_readings(path: str, rows: pd.DataFrame) -> None:
    """Write READINGS as CSV or Parquet, by the ending of `path`."""
    if path.endswith(".parquet"):
        buffer = io.BytesIO()
        rows.astype(str).to_parquet(buffer, index=False)
        publish(path, buffer.getvalue())
    else:
        publish(path, _csv(rows))


def _columns() -> list[str]:
    return ["reader", "case", "patient", "idh", "split", "real", "judged_real", *FEATURE_NAMES]


def _csv(table: pd.DataFrame) -> bytes:
    return str(table.to_csv(index=False, lineterminator="\n")).encode()


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
