"""Whatever happened to a study, its tables are those of a run on its last manifest."""

import random
from pathlib import Path

import pytest

from tests.stages.growing_study import (
    CANDIDATES,
    CLASSES,
    ROLES,
    GrowingStudy,
    Killed,
    Killer,
    make_slides,
    stub_trainings,
)
from tests.stages.in_process import without_ray

CHANGES = 20


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    """Slides of the patients, and some that take the place of broken ones."""
    with without_ray():
        return make_slides(tmp_path_factory.mktemp("phantom"))


def repair(study, name, chance):
    """Another slide in place of a patient's, if one is left: one slide of two is refused."""
    row, used = study.rows[name], {Path(r["slide"]).read_bytes() for r in study.rows.values()}
    spare = [path for path in study.slides[CANDIDATES:] if path.read_bytes() not in used]
    if spare:
        study.add(name, row["idh"], row["place"], chance.choice(spare))
        study.rows[name]["patient"] = row["patient"]


def change(study, chance, log):
    """Change the manifest, or the plan, in a way that leaves patients of each role."""
    while True:
        kind = chance.choice(
            ["add", "add", "remove", "age", "label", "rename", "repair", "repeat", "images"]
        )
        name = chance.choice(sorted(study.rows))
        before = {key: dict(row) for key, row in study.rows.items()}
        row = study.rows[name]
        if kind == "add":
            free = [n for n in range(CANDIDATES) if f"S{n:02d}" not in study.rows]
            if not free:
                continue
            number = chance.choice(free)
            place = chance.randrange(len(ROLES))
            study.add(f"S{number:02d}", chance.choice(CLASSES), place, study.slides[number])
        elif kind == "remove":
            del study.rows[name]
        elif kind == "age":
            row["age"] += 1
        elif kind == "label":
            row["idh"] = CLASSES[row["idh"] == CLASSES[0]]
        elif kind == "rename":
            row["patient"] += "r"
        elif kind == "repair":
            repair(study, name, chance)
        elif kind == "repeat":
            if study.repeats == 3:
                continue
            study.repeats += 1
        elif kind == "images":
            study.images += 1
        if study.is_valid():
            log.append(f"{kind} {name}")
            return
        study.rows = before


def follow(study, chance, killer, log):
    """Change the study 20 times; stages follow at random, and some of these runs are killed."""
    for _ in range(CHANGES):
        change(study, chance, log)
        last = chance.choice(["", "tiles", "patches", "sweep"])
        if not last:
            continue
        killer.left = chance.randrange(1, 60) if chance.random() < 0.6 else None
        try:
            study.update(last=last)
            log.append(f"-> {last}")
        except Killed:
            log.append(f"-> {last}, killed")
        killer.left = None
    study.update()


def check(study, fresh):
    """The tables of both are the same."""
    assert study.tile_bytes() == fresh.tile_bytes()
    assert study.patch_rows() == fresh.patch_rows()
    assert study.prediction_rows() == fresh.prediction_rows()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_tables_after_any_sequence_of_changes_are_those_of_a_fresh_run(slides, tmp_path, seed):
    """Tiles byte by byte, patches and predictions row by row, in spite of runs that were killed."""
    chance, killer, log = random.Random(seed), Killer(), list[str]()
    with without_ray(), pytest.MonkeyPatch.context() as patch:
        stub_trainings(patch)
        study = GrowingStudy(tmp_path / "study", slides).begin()
        study.update()
        with pytest.MonkeyPatch.context() as killing:
            follow(study, chance, killer.arm(killing), log)
        fresh = study.fresh(tmp_path / "fresh")
        fresh.update()
    print("; ".join(log))

    check(study, fresh)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_the_same_with_real_trainings(slides, tmp_path, seed):
    """Generators and classifiers are trained on few images."""
    chance, killer, log = random.Random(seed), Killer(), list[str]()
    with without_ray():
        study = GrowingStudy(tmp_path / "study", slides, real_trainings=True).begin()
        study.update()
        with pytest.MonkeyPatch.context() as killing:
            follow(study, chance, killer.arm(killing), log)
        fresh = study.fresh(tmp_path / "fresh")
        fresh.update()
    print("; ".join(log))

    check(study, fresh)
