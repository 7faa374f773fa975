"""A finished study of slides that is made of tables alone: no slide is read, nothing is trained.

Tables, ledgers, protocol, records and statistics are written by the writers of the package, so that
report, checklists and cards read what a real study leaves.
"""

import io
from dataclasses import replace

import numpy as np
import pandas as pd

from idhray.chance import generator as random_generator
from idhray.cohorts.folds import folds_hash, folds_of_roles, write_folds
from idhray.cohorts.manifest import manifest_frame, patients_of, read_manifest, write_manifest
from idhray.config import settings_dict
from idhray.experiment.protocol import new_protocol, protocol_values
from idhray.experiment.trials import Trial
from idhray.generator_records import GateRecord, GeneratorRecord, write_gate, write_generator
from idhray.images import encode, image_cell
from idhray.ledger import Fate, record
from idhray.planning.experiment.printing import experiment_summary
from idhray.stages.runtime.folder import DONE, seal, sealed_without_rows
from idhray.stages.studies.experiment_statistics import fit_sweep
from idhray.stages.studies.generators import planned_generators
from idhray.stages.studies.settings import PRESETS
from idhray.storage import SETTINGS, publish, publish_json
from idhray.table_parts import digest_of_rows, part_path, publish_table
from idhray.tables import PATCHES, PREDICTIONS, SYNTHETIC, TILES, TRIALS

DEMO = PRESETS["demo"]
ARMS = {"real": 0.0, "synthetic:120": 0.15, "duplicate:120": 0.05, "more-real:120": 0.2}
PRIMARY = "synthetic:120"
SITES = ("Essen", "Henry Ford", "MD Anderson", "Case Western")
MODEL = "resnet50"
SEED = 7


def made_up_cohort(count, folder="/archive"):
    """Manifest of patients of both classes; every eleventh has no known status."""
    rng = random_generator(SEED, "cohort")
    rows = []
    for number in range(count):
        mutant = number % 5 < 2
        age = int(np.clip(rng.normal(40 if mutant else 60, 11), 18, 89))
        grade = int(rng.choice([2, 3, 4], p=(0.45, 0.4, 0.15) if mutant else (0.1, 0.15, 0.75)))
        name = f"P{number:03d}"
        rows.append(
            {
                "patient": name,
                "idh": "" if number % 11 == 10 else "mutant" if mutant else "wildtype",
                "age": "" if number % 23 == 5 else str(age),
                "sex": "female" if rng.random() < 0.45 else "male",
                "grade": str(grade),
                "site": SITES[number % len(SITES)],
                "cohort": "made-up tables",
                "slide": f"{folder}/{name}-A.svs",
            }
        )
    return manifest_frame(rows)


def roles_of(labels, folds):
    """Fold -> patient -> role: each patient is tested in one fold."""
    roles = {fold: {} for fold in range(1, folds + 1)}
    for idh in sorted(set(labels.values())):
        for place, name in enumerate(sorted(n for n, label in labels.items() if label == idh)):
            for fold, of_fold in roles.items():
                turn = (place - fold + 1) % folds
                held_out = "val" if turn == 1 and place % 2 else "train"
                of_fold[name] = "test" if turn == 0 else held_out
    return roles


def picture(rng, width=64, height=None, color=(200, 150, 190)):
    """Picture of blobs and noise, whose PNG is about as large as that of tissue."""
    height = height or width
    coarse = rng.normal(0, 40, (height // 8 + 1, width // 8 + 1, 3))
    smooth = np.kron(coarse, np.ones((8, 8, 1)))[:height, :width]
    noisy = np.array(color) + smooth + rng.normal(0, 8, (height, width, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def finish(folder, values):
    """Settings and seal of a folder."""
    publish_json(f"{folder}/{SETTINGS}", values)
    publish_json(f"{folder}/{DONE}", sealed_without_rows(str(folder), {}))


def image_tables(study, cohort, side_px):
    """TILES and PATCHES of all patients but a few, whose slides failed."""
    rng = random_generator(SEED, "images")
    position = {"x_l0": 0, "y_l0": 0, "size_l0": 256.0, "mpp": 1.0}
    for number, row in enumerate(cohort.to_dict("records")):
        slide = f"{row['patient']}-A"
        if number % 29 == 28:
            reason = f"{slide}: no mpp and no objective power"
            record(f"{study}/tiles", Fate(input=slide, status="failed", error=reason))
            continue
        for table, schema in (("tiles", TILES), ("patches", PATCHES)):
            rows = [
                {"patient": row["patient"], "idh": row["idh"], "split": "", "slide": slide,
                 "rank": k + 1, **position,
                 "image": image_cell(picture(rng, 2 * side_px), f"{slide}_{k}")}
                for k in range(2)
            ]  # fmt: skip
            publish_table(part_path(f"{study}/{table}", slide), rows, schema)
            digest, mpp = digest_of_rows(rows, schema), {"mpp": 0.25, "mpp_source": "openslide"}
            fate = Fate(input=slide, status="done", rows=2, seconds=3.0, digest=digest)
            record(f"{study}/{table}", replace(fate, **(mpp if table == "tiles" else {})))
        publish(f"{study}/tiles/quality/{slide}.jpg", encode(picture(rng, 512), "jpeg"))
    finish(f"{study}/tiles", {"stage": "tile_slides", "seed": SEED})
    finish(f"{study}/patches", {"stage": "cut_patches", "seed": SEED, "folds": "yes"})


def gan_of(study, place, roles, side_px):
    """A GAN with its history, its evaluation and its images."""
    rng = random_generator(SEED, "gan", place.fold, place.idh)
    names = sorted(n for n, (role, idh) in roles.items() if role == "train" and idh == place.idh)
    of = GeneratorRecord.of("", place.idh, names)
    gan = place.folder(study, "gan")
    model = {
        "architecture": "pggan", "idh": place.idh, "seed": 1,
        "settings": {**settings_dict(DEMO.gan), "resolution_px": side_px},
        "images_shown": 4000, "images": 180, "patients": names, "trained_on": of.trained_on,
        "computed": {"device": "NVIDIA A100", "workers": 2},
    }  # fmt: skip
    publish_json(f"{gan}/model.json", model)
    history = [
        {"kimg": k, "kid": 0.5 / k + 0.02, "kid_floor_min": 0.01, "kid_floor_max": 0.05,
         "d_loss": 0.7, "g_loss": 1.0 + 0.1 * k, "images_per_second": 50.0}
        for k in (1, 2, 4)
    ]  # fmt: skip
    publish_json(f"{gan}/_history.json", {"history": history})
    finish(gan, {"stage": "train_gan", "idh": place.idh, "images": "d", "seed": 1})
    sealed = seal(gan)
    evaluation = place.folder(study, "evaluation")
    fidelity = [
        {"extractor": "random", "reference": "val", "channel": "rgb", "metric": metric,
         "value": value, "value_min": value * 0.9, "value_max": value * 1.1, "floor": floor,
         "floor_min": floor * 0.9, "floor_max": floor * 1.1, "n": 90, "n_patients": len(names) // 2,
         "draws": 10, "notes": ""}
        for metric, value, floor in (("fid", 41.0, 12.0), ("kid", 0.05, 0.01),
                                     ("precision", 0.6, 0.8), ("coverage", 0.5, 0.7))
    ]  # fmt: skip
    text = io.StringIO()
    pd.DataFrame(fidelity).to_csv(text, index=False)
    publish(f"{evaluation}/fidelity.csv", text.getvalue().encode())
    figures = {
        "copies": 1, "generated": 100, "train": 180, "train_patients": len(names),
        "diversity": {"mean_distance_ratio": 0.91, "vendi_ratio": 0.84},
    }  # fmt: skip
    publish_json(
        f"{evaluation}/gate.json",
        {"passed": True, "reasons": [], "notes": [], "figures": figures},
    )
    for name, columns, lines in (("pairs.png", 6, 6), ("walk.png", 7, 3), ("samples.png", 6, 6)):
        sheet = picture(rng, columns * side_px, lines * side_px)
        publish(f"{evaluation}/{name}", encode(sheet))
    finish(evaluation, {"stage": "evaluate_gan", "generator": sealed})
    synthetic = place.folder(study, "synthetic")
    rows = [
        {"generator": sealed, "seed": 1, "index": k, "psi": 1.0, "idh": place.idh,
         "trained_on": of.trained_on,
         "image": image_cell(picture(rng, side_px), f"{place.idh}-{k}")}
        for k in range(20)
    ]  # fmt: skip
    publish_table(part_path(synthetic, "images 0-20"), rows, SYNTHETIC)
    digest = digest_of_rows(rows, SYNTHETIC)
    record(synthetic, Fate(input="images 0-20", status="done", rows=20, digest=digest))
    write_generator(
        synthetic, GeneratorRecord.of(sealed, place.idh, names, fold=place.fold or None, seed=1)
    )
    write_gate(
        synthetic,
        GateRecord(
            generator=sealed, passed=True, reasons=(), images="patches", images_digest="d",
            features="random", extractor="random network 1a2b", psi=1.0,
            limits={"pixel": 0.05, "feature": 0.2}, evaluation="evaluation",
        ),
    )  # fmt: skip
    finish(synthetic, {"stage": "synthesize", "generator": sealed, "psi": 1.0, "seed": 1})
    return {
        "generator": sealed, "idh": place.idh, "fold": place.fold or None, "seed": 1,
        "weights": None, "trained_on": of.trained_on, "patients": len(names), "gate": "passed",
        "reasons": [],
    }  # fmt: skip


def scores_of(labels, roles, arms, repeats):
    """Predictions of all arms, folds and repeats, and one row of costs for each training."""
    rng = random_generator(SEED, "scores")
    part = {name: rng.normal() for name in labels}
    for repeat in range(1, repeats + 1):
        for fold, of_patients in roles.items():
            luck = rng.normal(0, 0.1)
            for arm, gain in arms.items():
                rows = []
                for name, role in of_patients.items():
                    if role == "train":
                        continue
                    sign = 0.5 if labels[name] == "mutant" else -0.5
                    logit = sign * (1.8 + gain + luck) + part[name] + rng.normal(0, 0.3)
                    rows.append(
                        {"patient": name, "idh": labels[name], "split": role, "model": MODEL,
                         "n_synthetic": 120 if arm == PRIMARY else 0, "repeat": repeat,
                         "fold": fold, "p_mutant": 1 / (1 + np.exp(-logit)), "n_images": 8,
                         "arm": arm, "generator": "", "epoch_chosen": 4}
                    )  # fmt: skip
                yield Trial(fold=fold, repeat=repeat, arm=arm), rows


def experiment(study, labels, roles, entries, settings):
    """Predictions, costs, protocol and generators of a finished sweep."""
    sweep, protocol = f"{study}/sweep", settings.protocol
    folds = folds_of_roles(labels, roles)
    for trial, rows in scores_of(labels, roles, ARMS, protocol.repeats):
        publish_table(part_path(sweep, trial.name), rows, PREDICTIONS)
        digest = digest_of_rows(rows, PREDICTIONS)
        fate = Fate(input=trial.name, status="done", rows=len(rows), seconds=20.0, digest=digest)
        record(sweep, fate)
        cost = {
            "fold": trial.fold, "repeat": trial.repeat, "arm": trial.arm, "model": MODEL,
            "generator": "", "real_images": 360, "added_images": 0 if trial.arm == "real" else 120,
            "steps": 60, "images_shown": 1920, "added_shown": 0 if trial.arm == "real" else 480,
            "epoch_chosen": 4, "val_loss": 0.6, "val_auc": 0.7, "seconds": 20.0,
            "gpu_seconds": 20.0,
        }  # fmt: skip
        publish_table(part_path(f"{sweep}/trials", trial.name), [cost], TRIALS)
    write_folds(f"{sweep}/folds.parquet", folds)
    counts = [*labels.values()]
    fixed = new_protocol(
        protocol,
        arms=tuple(ARMS),
        absent={},
        primary=PRIMARY,
        counts=protocol.counts,
        folds_digest=folds_hash(folds),
        classifier={"kinds": ["network"], **settings_dict(settings.classifier)},
        seed=SEED,
        today="2026-01-01",
    )
    detectable = experiment_summary(
        counts.count("mutant"), counts.count("wildtype"), folds=len(roles), repeats=protocol.repeats
    )
    publish_json(f"{sweep}/protocol.json", protocol_values(replace(fixed, detectable=detectable)))
    publish_json(f"{sweep}/generators.json", {"generators": entries})
    finish(sweep, {"stage": "sweep", "experiment": 1})


def study_of_tables(folder, patients=60, settings=DEMO, side_px=32):
    """A finished study of this many patients, whose GANs make images of `side_px`; its folder."""
    study = str(folder)
    write_manifest(f"{study}/cohort.parquet", made_up_cohort(patients))
    cohort = read_manifest(f"{study}/cohort.parquet")
    people = patients_of(cohort)
    known = people[people["idh"] != ""]
    labels = dict(zip(known["patient"], known["idh"], strict=True))
    roles = roles_of(labels, settings.protocol.fold_count)
    write_folds(f"{study}/folds.parquet", folds_of_roles(labels, roles))
    image_tables(study, cohort, side_px)
    entries = [
        gan_of(
            study,
            place,
            {n: (role, labels[n]) for n, role in roles[place.fold or 1].items()},
            side_px,
        )
        for place in planned_generators(settings.protocol)
    ]
    experiment(study, labels, roles, entries, settings)
    fit_sweep(f"{study}/statistics", f"{study}/sweep", people, settings.statistics)
    publish_json(f"{study}/{SETTINGS}", {"stage": "study", "kind": "slides", "seed": SEED})
    publish_json(
        f"{study}/_provenance.json",
        {"stage": "study", "idhray": "0.2.0", "commit": "abc", "python": "3.12.1", "ray": "2.60.0",
         "torch": "2.11.0", "machine": "Linux x86_64, 2 cores"},
    )  # fmt: skip
    publish_json(f"{study}/_study.json", {"patches": f"{study}/patches"})
    publish_json(f"{study}/_experiment.json", {"settings": settings_dict(settings)})
    return study
