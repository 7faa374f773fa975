"""A made-up finished study of eight patients, written by the project's own writers without Ray."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from idhray.classify.settings import ClassifierSettings
from idhray.classify.trial_models import (
    ModelOrigin,
    TrialCard,
    model_folder,
    model_folders,
    save_trial_model,
    weights_digest_of,
)
from idhray.cohorts.folds import folds_hash, folds_of_roles, write_folds
from idhray.cohorts.manifest import (
    manifest_frame,
    manifest_hash,
    patients_of,
    read_manifest,
    write_manifest,
)
from idhray.config import settings_dict, settings_hash
from idhray.experiment.protocol import new_protocol, protocol_values
from idhray.experiment.settings import ProtocolSettings
from idhray.gan.pggan.config import PgganSettings
from idhray.generator_records import GeneratorRecord, patients_hash, write_generator
from idhray.images import encode, image_cell
from idhray.ledger import Fate, record
from idhray.stages.readers import write_form
from idhray.stages.runtime.folder import DONE, seal, sealed_without_rows
from idhray.storage import SETTINGS, publish, publish_json
from idhray.table_parts import digest_of_rows, part_path, publish_table
from idhray.tables import PATCHES, PREDICTIONS, SLICES, SYNTHETIC, TILES, TRIALS

SECRET = "Kx7QpZ3mWv9T"
PATIENTS = ("M1", "M2", SECRET, "M4", "W1", "W2", "W3", "W4")
EXTERNAL_PATIENTS = ("Yq4TbN8vLc2R", "E2")
SLIDES = {name: f"{name}-A" for name in PATIENTS}


def label_of(patient):
    return "wildtype" if patient.startswith("W") else "mutant"


def image(*ids):
    """Picture of 8 px that depends on its names alone."""
    seed = int(settings_hash([str(each) for each in ids])[:8], 16)
    return np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def roles_of(patients):
    """Four folds, as of all eight patients: fold k tests the k-th of each class."""
    roles = {}
    for fold in (1, 2, 3, 4):
        roles[fold] = {}
        for name in patients:
            place = (PATIENTS.index(name) % 4 - (fold - 1)) % 4
            roles[fold][name] = ("test", "val", "train", "train")[place]
    return roles


def folds_of(patients):
    return folds_of_roles({name: label_of(name) for name in patients}, roles_of(patients))


def finish(folder, values):
    publish_json(f"{folder}/{SETTINGS}", values)
    publish_json(f"{folder}/{DONE}", sealed_without_rows(str(folder), {}))


def fate(folder, name, rows, schema, note=""):
    """Publish the part of an input and its ledger row."""
    publish_table(part_path(str(folder), name), rows, schema)
    digest = digest_of_rows(rows, schema)
    record(str(folder), Fate(input=name, status="done", rows=len(rows), digest=digest, error=note))


def cohort_of(patients, archive):
    return manifest_frame(
        {
            "patient": name, "idh": label_of(name), "age": "50",
            "slide": f"{archive}/{name}/{SLIDES.get(name, name + '-A')}.svs",
        }
        for name in patients
    )  # fmt: skip


def image_tables(study, patients, cohort):
    """TILES with pictures of quality, and PATCHES."""
    position = {"x_l0": 0, "y_l0": 0, "size_l0": 8.0, "mpp": 1.0}
    for table, schema in (("tiles", TILES), ("patches", PATCHES)):
        for name in patients:
            slide = SLIDES[name]
            cells = [image_cell(image(table, name, k), f"{slide}_{k}") for k in range(2)]
            rows = [
                {"patient": name, "idh": label_of(name), "split": "", "slide": slide, "rank": k + 1,
                 "image": cell, **position} for k, cell in enumerate(cells)
            ]  # fmt: skip
            fate(f"{study}/{table}", slide, rows, schema)
    for name in patients:
        publish(f"{study}/tiles/quality/{SLIDES[name]}.jpg", encode(image("quality", name)))
    write_manifest(f"{study}/tiles/_cohort.parquet", cohort)
    finish(f"{study}/tiles", {"stage": "tile_slides", "seed": 0})
    finish(f"{study}/patches", {"stage": "cut_patches", "seed": 0, "folds": "yes"})


def generator(study, patients, fold, idh):
    """A GAN, its evaluation and its images."""
    place = f"{study}/generators/fold-{fold}"
    roles = roles_of(patients)[fold]
    names = sorted(p for p, role in roles.items() if role == "train" and label_of(p) == idh)
    trained_on = patients_hash(names)
    model = {
        "architecture": "pggan", "settings": settings_dict(PgganSettings()), "idh": idh, "seed": 0,
        "images_shown": 8, "patients": names, "trained_on": trained_on,
        "fold": {"number": fold, "digest": settings_hash(roles), "roles": roles},
        "tables": [{"name": "patches", "digest": "d", "idh": idh, "rows": "r", "patients": names,
                    "last_ranks": dict.fromkeys(names, 2)}],
    }  # fmt: skip
    gan = f"{place}/gan-{idh}"
    publish_json(f"{gan}/model.json", model)
    publish(f"{gan}/weights.safetensors", bytes(image("weights", fold, idh)))
    publish(f"{gan}/samples/real.png", encode(image("real", fold, idh)))
    finish(gan, {"stage": "train_gan", "idh": idh, "images": settings_hash(names)})
    sealed = seal(gan)
    lines = [f"{k},{part_path('', SLIDES[n])[1:]}:0,{n},0.5" for k, n in enumerate(names)]
    evaluation = f"{place}/evaluation-{idh}"
    publish(f"{evaluation}/images.csv", "\n".join(["index,nearest,patient,d", *lines, ""]).encode())
    publish(f"{evaluation}/pairs.png", encode(image("pairs", fold, idh)))
    publish_json(f"{evaluation}/gate.json", {"passed": True})
    finish(evaluation, {"stage": "evaluate_gan", "generator": sealed})
    synthetic = f"{place}/synthetic-{idh}"
    rows = [
        {"generator": sealed, "seed": 0, "index": k, "psi": 1.0, "idh": idh,
         "trained_on": trained_on, "image": image_cell(image(fold, idh, k), f"{idh}-{k}")}
        for k in range(2)
    ]  # fmt: skip
    note = f"left out: 2 copies {part_path('', SLIDES[names[0]])[1:]}:0 of {names[0]}"
    fate(synthetic, "images 0-2", rows, SYNTHETIC, note)
    write_generator(synthetic, GeneratorRecord.of(sealed, idh, names, fold=fold))
    finish(synthetic, {"stage": "synthesize", "generator": sealed})


def experiment(study, patients):
    """Two trainings in each of four folds."""
    sweep, folds = f"{study}/sweep", folds_of(patients)
    for number in (1, 2, 3, 4):
        tested = [p for p, role in folds.roles(number).items() if role == "test"]
        for arm in ("real", "synthetic:4"):
            name = f"fold={number} repeat=1 arm={arm}"
            rows = [
                {"patient": p, "idh": label_of(p), "split": "test", "model": "net", "fold": number,
                 "n_synthetic": 0, "repeat": 1, "p_mutant": 0.5, "n_images": 2, "arm": arm,
                 "generator": "", "epoch_chosen": 1} for p in tested
            ]  # fmt: skip
            fate(sweep, name, rows, PREDICTIONS)
            trial = {"fold": number, "repeat": 1, "arm": arm, "model": "net", "generator": ""}
            publish_table(part_path(f"{sweep}/trials", name), [trial], TRIALS)
            kept_model(sweep, name, folds.roles(number), trial)
    write_folds(f"{sweep}/folds.parquet", folds)
    protocol = new_protocol(
        ProtocolSettings(fold_count=4),
        arms=("real", "synthetic:4"),
        absent={},
        primary="synthetic:4",
        counts=(4,),
        folds_digest=folds_hash(folds),
        classifier={"kinds": ["network"], "backbone": "net", "select_by": "val_loss"},
        seed=0,
        today="2026-01-01",
    )
    publish_json(f"{sweep}/protocol.json", protocol_values(protocol))
    publish_json(f"{sweep}/generators.json", {"generators": []})
    finish(sweep, {"stage": "sweep", "experiment": 1})


def kept_model(sweep, name, roles, trial):
    """The model of one training, whose card lists the patients of its fold."""
    of_role = {role: tuple(p for p, r in roles.items() if r == role) for role in ("train", "val")}
    card = TrialCard(
        kind="network",
        settings=ClassifierSettings(),
        seed=0,
        n_synthetic=0,
        origin=ModelOrigin(train_patients=of_role["train"], val_patients=of_role["val"]),
        **{key: trial[key] for key in ("model", "arm", "fold", "repeat")},
    )
    tensors = {"w": torch.tensor([float(trial["fold"]), float(len(trial["arm"]))])}
    save_trial_model(model_folder(sweep, name), tensors, card)


def external_cohort(study):
    """Two patients of another cohort, predicted by the models of all trainings."""
    out, models = f"{study}/external/hospital", model_folders(study)
    for folder in models:
        rows = [
            {"patient": p, "idh": "", "split": "external", "model": "net", "fold": 1,
             "n_synthetic": 0, "repeat": 1, "p_mutant": 0.5, "n_images": 2, "arm": "real",
             "generator": "", "epoch_chosen": 1} for p in EXTERNAL_PATIENTS
        ]  # fmt: skip
        fate(f"{out}/predictions", folder.rpartition("/")[2], rows, PREDICTIONS)
    digests = {folder.rpartition("/")[2]: weights_digest_of(folder) for folder in models}
    finish(f"{out}/predictions", {"stage": "predict", "models": digests, "images": "e"})
    for name in EXTERNAL_PATIENTS:
        publish(f"{out}/heatmaps/{name}-patches.png", encode(image("patches", name)))
        publish(f"{out}/heatmaps/{name}-A.png", encode(image("heatmap", name)))
    write_manifest(f"{out}/cohort.parquet", cohort_of(EXTERNAL_PATIENTS, "/other"))
    publish(f"{out}/report.html", f"<p>{' '.join(EXTERNAL_PATIENTS)}</p>".encode())
    publish_json(f"{out}/{SETTINGS}", {"stage": "study", "kind": "application", "seed": 0})


def made_up_study(folder, patients=PATIENTS, archive="/archive"):
    """A finished study of these patients; its folder as text."""
    study = str(folder)
    write_manifest(f"{study}/cohort.parquet", cohort_of(patients, archive))
    cohort = read_manifest(f"{study}/cohort.parquet")  # with the types of a cohort that was read
    image_tables(study, patients, cohort)
    for fold in (1, 2):
        for idh in ("mutant", "wildtype"):
            generator(study, patients, fold, idh)
    experiment(study, patients)
    external_cohort(study)
    classifier(study, patients)
    publish(f"{study}/statistics/by_patient.csv", f"patient,p\n{patients[2]},0.5\n".encode())
    finish(f"{study}/statistics", {"stage": "fit_stats", "manifest_hash": "h"})
    pages = ("report.html", "progress.html", "report/strata.csv", "report/flow.svg")
    pages += ("appendix.html",)
    for slide in SLIDES.values():
        publish(f"{study}/appendix/tiles/{slide}.jpg", encode(image("quality", slide)))
    for name in (*pages, "checklists/tripod-ai.md", "checklists/tripod-ai.csv"):
        publish(f"{study}/{name}", f"<p>{' '.join(patients)}</p>".encode())
    row = f"TRIPOD+AI,6c.1,Treatments,{' and '.join(patients)} were treated"
    publish(f"{study}/checklists/answers.csv", f"guideline,number,asks,text\n{row}\n".encode())
    write_manifest(f"{study}/cohort.parquet", cohort)
    write_folds(f"{study}/folds.parquet", folds_of(patients))
    hashed = manifest_hash(patients_of(cohort))
    publish_json(f"{study}/{SETTINGS}", {"stage": "study", "manifest_hash": hashed})
    publish_json(f"{study}/_provenance.json", {"stage": "study", "idhray": "0.1.0", "commit": ""})
    publish_json(f"{study}/_study.json", {"patches": f"{study}/patches"})
    return study


def made_up_reader_study(folder):
    """A reader study of two patients and a synthetic case; its folder as text."""
    study, patients = str(folder), ("M1", SECRET)
    for name in patients:
        rows = [
            {"patient": name, "idh": "mutant", "split": "train", "study": name, "z_mm": float(k),
             "brain_fraction": 0.5, "tumor_fraction": 0.1,
             "image": image_cell(image("slice", name, k), f"{name}-{k}")} for k in range(2)
        ]  # fmt: skip
        fate(f"{study}/slices", name, rows, SLICES, note=f"{name} FLAIR: used unchanged")
        publish(f"{study}/slices/quality/{name}.png", encode(image("quality", name)))
        publish_json(f"{study}/slices/quality/{name}.json", {"study": name, "ml": 1.5})
    publish(f"{study}/slices/quality.csv", f"study,ml\nM1,1.5\n{SECRET},1.5\n".encode())
    cohort = manifest_frame(
        {
            "patient": name, "idh": "mutant", "t1ce": f"/scans/{name}/t1ce.nii.gz",
            "flair": f"/scans/{name}/flair.nii.gz",
        }
        for name in patients
    )  # fmt: skip
    write_manifest(f"{study}/slices/_cohort.parquet", cohort)
    finish(f"{study}/slices", {"stage": "prepare_mri"})
    form = f"{study}/form"
    cases = {"case-001": "M1", "case-002": "", "case-003": SECRET}
    for case, name in cases.items():
        publish(f"{form}/cases/{case}.png", encode(image("case", name)))
    write_form(form, pd.DataFrame({"case": [*cases], "judged_real": ""}))
    key = [f"{case},{name},mutant,train,{bool(name)},{name}" for case, name in cases.items()]
    publish(f"{form}/key/key.csv", "\n".join(["case,patient,idh,split,real,source", *key]).encode())
    finish(form, {"stage": "readers", "slices": seal(f"{study}/slices"), "synthetic": []})
    lines = [f"a,{case},{name},{bool(name)}" for case, name in cases.items()]
    publish(f"{study}/readings.csv", "\n".join(["reader,case,patient,real", *lines, ""]).encode())
    write_manifest(f"{study}/cohort.parquet", cohort)
    publish_json(f"{study}/{SETTINGS}", {"stage": "study", "kind": "mri"})
    return study


def classifier(study, patients):
    """A classifier of fold 1."""
    roles = roles_of(patients)[1]
    train, val = ([p for p, role in roles.items() if role == r] for r in ("train", "val"))
    card = {
        "settings": asdict(ClassifierSettings()), "seed": 0, "n_synthetic": 0, "best_epoch": 1,
        "history": [], "train_patients": train, "trained_on": patients_hash(train),
        "val_patients": val, "generator_patients": [], "weights_sha256": "0",
    }  # fmt: skip
    publish(f"{study}/classifier/model.json", (json.dumps(card, indent=2) + "\n").encode())
    finish(f"{study}/classifier", {"stage": "train_classifier", "images": seal(f"{study}/patches")})


def tree(folder):
    """Path in a folder -> bytes, of all files but locks."""
    root = Path(folder)
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }
