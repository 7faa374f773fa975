"""Plans are balanced and depend on no order; patches lie where they say."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from idhray.chance import seed_for
from idhray.cohorts.folds import folds_of_roles
from idhray.config import settings_dict, settings_from, settings_hash
from idhray.errors import ConfigError, SlideError, TableError
from idhray.image_ranks import fair_shares
from idhray.slides.patch_plan import plan_patches
from idhray.slides.patches import (
    PRESETS,
    PatchSettings,
    channel_stretch,
    patches_of_tile,
    window_fractions,
)
from idhray.slides.stain.target import StainTarget
from tests.slides.made import PINK, WHITE, plain

SMALL = PatchSettings(
    patch_px=16,
    tile_px=64,
    stride_px=8,
    train_per_class=100,
    eval_per_patient=10,
    min_object_px=0,
)  # 49 places a tile


def cohort(*patients):
    """TILES rows of (patient, idh, split, tiles of its slides)."""
    return pd.DataFrame(
        [
            {"patient": who, "idh": idh, "split": split, "slide": f"{who}-{s}", "rank": rank}
            for who, idh, split, slides in patients
            for s, tiles in enumerate(slides)
            for rank in range(1, tiles + 1)
        ]
    )


def per_patient(plan):
    totals: dict[str, int] = {}
    for (slide, _), count in plan.counts.items():
        patient = slide.split("-")[0]
        totals[patient] = totals.get(patient, 0) + count
    return totals


def test_liu_2020_is_the_preset():
    """12,000 patches of 256 px a class."""
    liu = PRESETS["liu2020"]

    assert (liu.patch_px, liu.train_per_class, liu.normalize) == (256, 12_000, "channel_stretch")
    assert len(liu.lattice_px) == (1024 - 256) // 64 + 1 == 13


@pytest.mark.parametrize(
    "wrong",
    [
        {"patch_px": 2000},
        {"stride_px": 0},
        {"eval_per_patient": -1},
        {"reserve_per_class": -1},
        {"min_tissue_fraction": 1.5},
        {"normalize": "match"},
    ],
    ids=str,
)
def test_nonsense_settings_are_refused(wrong):
    """Before a cohort is cut with them."""
    with pytest.raises(ConfigError):
        PatchSettings(**wrong)


@pytest.mark.parametrize(
    ("wanted", "capacity", "shares"),
    [
        pytest.param(9, {"a": 9, "b": 9, "c": 9}, [3, 3, 3], id="even"),
        pytest.param(11, {"a": 9, "b": 9, "c": 9}, [3, 4, 4], id="remainder"),
        pytest.param(
            12, {"a": 1, "b": 3, "c": 99}, [1, 3, 8], id="the large give what others lack"
        ),
        pytest.param(99, {"a": 1, "b": 3}, [1, 3], id="all there is"),
        pytest.param(0, {"a": 1}, [0], id="none"),
        pytest.param(5, {}, [], id="nobody"),
    ],
)
def test_shares_are_as_even_as_can_be(wanted, capacity, shares):
    """Water filling: nobody gets two more than another who could take one more."""
    given = fair_shares(wanted, capacity, lambda key: seed_for(0, key))

    assert sorted(given.values()) == shares
    assert all(given[key] <= capacity[key] for key in capacity)


def test_training_is_balanced_over_classes_patients_slides_and_tiles():
    """A patient with many slides must not outweigh one with a single tile."""
    tiles = cohort(
        ("A", "mutant", "train", [8, 1]),
        ("B", "mutant", "train", [1]),
        ("C", "wildtype", "train", [2]),
        ("D", "wildtype", "train", [3]),
    )
    plan = plan_patches(tiles, SMALL, seed=0)

    assert per_patient(plan) == {"A": 51, "B": 49, "C": 50, "D": 50}
    of_a_slide = [count for (slide, _), count in plan.counts.items() if slide == "A-0"]
    assert sum(of_a_slide) in (25, 26)
    assert max(of_a_slide) - min(of_a_slide) <= 1
    assert plan.shortfall == {}


def test_evaluation_patients_give_the_same_number_each():
    """Whatever their class: a patient is one result."""
    tiles = cohort(
        ("A", "mutant", "train", [3]),
        ("B", "mutant", "val", [4]),
        ("C", "wildtype", "test", [1, 1]),
    )
    totals = per_patient(plan_patches(tiles, SMALL, seed=0))

    assert (totals["B"], totals["C"]) == (10, 10)


def test_the_order_of_rows_changes_nothing():
    """Parts of the table are listed in any order, by any number of workers."""
    tiles = cohort(*[(f"P{k}", "mutant", "train", [3, 5]) for k in range(7)])
    plan = plan_patches(tiles, SMALL, seed=1)
    shuffled = plan_patches(tiles.sample(frac=1, random_state=3), SMALL, seed=1)
    other_seed = plan_patches(tiles, SMALL, seed=2)

    assert shuffled.counts == plan.counts
    assert other_seed.counts != plan.counts
    assert sum(other_seed.counts.values()) == 100


def test_what_is_missing_is_told():
    """Takes what there is; a class of too few patches must not pass for a full one."""
    tiles = cohort(
        ("A", "mutant", "train", [1]), ("B", "wildtype", "train", [3]), ("C", "mutant", "test", [1])
    )
    plan = plan_patches(tiles, replace(SMALL, eval_per_patient=50), seed=0)

    assert plan.shortfall == {"train mutant": 51, "test C": 1}
    assert per_patient(plan) == {"A": 49, "B": 100, "C": 49}


def test_patients_without_a_label_give_nothing():
    """They are counted, and need no split."""
    tiles = cohort(("A", "mutant", "train", [3]), ("B", None, "train", [3]), ("C", "", None, [3]))
    plan = plan_patches(tiles, SMALL, seed=0)

    assert plan.unlabeled == ["B", "C"]
    assert set(per_patient(plan)) == {"A"}


def test_a_muddled_table_is_refused():
    """Two slides of one name would share their counts."""
    tiles = cohort(("A", "mutant", "train", [2]))

    with pytest.raises(TableError, match="slide A-0 has more than one tile of rank 1"):
        plan_patches(pd.concat([tiles, tiles]), SMALL, seed=0)
    with pytest.raises(TableError, match="split is dev"):
        plan_patches(tiles.assign(split="dev"), SMALL, seed=0)


def test_tiles_without_any_split_give_each_patient_the_number_of_a_validation_patient():
    """Two patients are too few for a split, and enough for a look at their patches."""
    tiles = cohort(("A", "mutant", "", [2]), ("B", "wildtype", "", [1, 1]))
    plan = plan_patches(tiles, SMALL, seed=0)

    assert per_patient(plan) == {"A": 10, "B": 10}
    more = plan_patches(tiles, replace(SMALL, eval_per_patient=99), seed=0)
    assert more.shortfall == {"unsplit A": 1, "unsplit B": 1}
    mixed = tiles.assign(split=["train", "train", "", ""])
    with pytest.raises(TableError, match="split is , must be"):
        plan_patches(mixed, SMALL, seed=0)


def patient_sequence(plan, patient):
    """Tiles of a patient's patches, by rank."""
    ranks = {
        rank: key
        for key, ranks in plan.ranks.items()
        for rank in ranks
        if key[0].split("-")[0] == patient
    }
    return [ranks[rank] for rank in range(1, len(ranks) + 1)]


def test_any_first_ranks_are_spread_over_slides_then_tiles():
    """An experiment takes a patient's first patches; they must not all lie in one corner."""
    tiles = cohort(("A", "mutant", "train", [8, 1, 3]), ("B", "wildtype", "train", [2]))
    plan = plan_patches(tiles, replace(SMALL, train_per_class=500), seed=0)
    sequence = patient_sequence(plan, "A")

    assert len(sequence) == 500
    for number in (1, 2, 3, 7, 30, 100, 200, 499):
        first = Counter(sequence[:number])
        capacity = {"A-0": 8 * 49, "A-1": 49, "A-2": 3 * 49}
        of_slide = {
            slide: sum(n for key, n in first.items() if key[0] == slide) for slide in capacity
        }
        even = fair_shares(number, capacity, lambda slide: seed_for(0, slide))
        assert sorted(of_slide.values()) == sorted(even.values())
        for slide in capacity:
            tiles_of_slide = tiles[tiles["slide"] == slide]["rank"]
            counts = [first[slide, rank] for rank in tiles_of_slide]
            assert max(counts) - min(counts) <= 1


def test_a_reserve_adds_patches_and_changes_none():
    """The arm with further real patches is compared with the same baseline."""
    tiles = cohort(
        ("A", "mutant", "train", [3]),
        ("B", "mutant", "train", [1]),
        ("C", "wildtype", "train", [2]),
        ("D", "mutant", "test", [4]),
    )
    plan = plan_patches(tiles, SMALL, seed=0)
    larger = plan_patches(tiles, replace(SMALL, reserve_per_class=60), seed=0)

    assert all(larger.ranks[key][: len(ranks)] == ranks for key, ranks in plan.ranks.items())
    assert per_patient(larger) == {"A": 111, "B": 49, "C": 98, "D": 10}
    assert larger.shortfall == {"train wildtype": 2, "reserve wildtype": 60}
    assert plan.shortfall == {"train wildtype": 2}


def test_with_folds_a_patient_gets_what_it_needs_in_any_fold():
    """Each patient is trained on in some folds and tested in one."""
    names = {"A": "mutant", "B": "mutant", "C": "mutant", "D": "wildtype", "E": "wildtype"}
    tiles = cohort(*[(name, idh, "val", [9]) for name, idh in names.items()])
    roles = {
        1: {"A": "test", "B": "train", "C": "train", "D": "test", "E": "train"},
        2: {"A": "train", "B": "test", "C": "test", "D": "train", "E": "test"},
    }
    folds = folds_of_roles(names, roles)
    plan = plan_patches(tiles, replace(SMALL, reserve_per_class=20), seed=0, folds=folds)
    few = plan_patches(tiles, replace(SMALL, train_per_class=1, eval_per_patient=9), 0, folds)

    assert per_patient(plan) == {"A": 120, "B": 60, "C": 60, "D": 120, "E": 120}
    assert per_patient(few) == dict.fromkeys(names, 9)
    short = plan_patches(tiles, replace(SMALL, train_per_class=450), seed=0, folds=folds)
    assert short.shortfall == {
        "fold 1 train wildtype": 9,
        "fold 2 train mutant": 9,
        "fold 2 train wildtype": 9,
    }


def test_folds_that_do_not_fit_the_tiles_are_refused():
    """A labeled patient in no fold would silently be lost."""
    tiles = cohort(("A", "mutant", "train", [3]), ("B", "wildtype", "train", [3]))
    lacking = folds_of_roles({"A": "mutant"}, {1: {"A": "train"}})
    other = folds_of_roles(dict.fromkeys("AB", "mutant"), {1: {"A": "train", "B": "test"}})

    with pytest.raises(TableError, match="no row for B, who have labels; add them"):
        plan_patches(tiles, SMALL, 0, lacking)
    with pytest.raises(TableError, match="another label than in the tiles for B"):
        plan_patches(tiles, SMALL, 0, other)


def cut(tile, count, settings=SMALL, **changed):
    origin = (1000, 2000, 128.0, 192.0)
    given = {"seed": 0, "slide": "A", "rank": 1, "origin": origin, "recolor": None} | changed
    return patches_of_tile(tile, count, settings=settings, **given)


def test_patches_are_distinct_and_lie_where_they_say():
    """On a tile of 64 px that is 128 px of level 0."""
    tile = np.random.default_rng(0).integers(20, 60, (64, 64, 3), dtype=np.uint8)
    tile[..., 0] += 100
    tile[..., 2] += 100
    patches = cut(tile, 49)

    assert len({(p.x_px, p.y_px) for p in patches}) == 49
    for p in patches:
        assert np.array_equal(p.image, tile[p.y_px : p.y_px + 16, p.x_px : p.x_px + 16])
        assert (p.x_l0, p.y_l0) == (1000 + 2 * p.x_px, 2000 + 3 * p.y_px)
        assert (p.size_l0, p.height_l0) == (32.0, 48.0)


def test_more_patches_begin_with_the_same():
    """Seeded by slide and rank: a larger run adds to a smaller one, in any worker."""
    tile = plain(PINK, 64)
    places = [(p.x_px, p.y_px) for p in cut(tile, 20)]

    assert [(p.x_px, p.y_px) for p in cut(tile, 5)] == places[:5]
    assert [(p.x_px, p.y_px) for p in cut(tile, 20, rank=2)] != places


def test_patches_without_tissue_are_passed_over():
    """The right half is glass: of 49 places 28 have half tissue or more, and no more come."""
    tile = plain(WHITE, 64)
    tile[:, :32] = PINK
    patches = cut(tile, 49)

    assert len(patches) == 28
    assert {p.x_px for p in patches} == {0, 8, 16, 24}
    assert min(p.tissue_fraction for p in patches) == 0.5


def test_a_pale_tile_gives_patches_by_the_limit_of_its_slide():
    """A pale slide tiled well, then gave 2 of 20 patches: nuclei alone were tissue in a tile."""
    tile = plain((230, 210, 225), 64)
    tile[::4, ::2] = (54, 16, 57)

    assert len(cut(tile, 20)) == 0
    assert len(cut(tile, 20, green_limit=228)) == 20


def test_windows_agree_with_a_plain_mean():
    """Against the slow way."""
    mask = np.random.default_rng(0).random((40, 40)) < 0.3
    offsets = range(0, 31, 5)
    slow = [[mask[y : y + 10, x : x + 10].mean() for x in offsets] for y in offsets]

    assert window_fractions(mask, 10, offsets) == pytest.approx(np.asarray(slow))


def test_a_tile_of_another_size_is_refused():
    """The plan counted its places by the settings."""
    with pytest.raises(SlideError, match="A: tile 1 is 32 x 32 px, settings say 64"):
        cut(plain(PINK, 32), 1)


def test_the_stretch_fills_each_channel():
    """A faint stain and a strong one then use the same range."""
    image = np.random.default_rng(0).integers(100, 151, (64, 64, 3), dtype=np.uint8)
    image[..., 1] = 77
    stretched = channel_stretch(image)

    assert (stretched[..., 0].min(), stretched[..., 0].max()) == (0, 255)
    assert (stretched[..., 1] == 77).all()
    low, high = np.percentile(image[..., 2], [0.5, 99.5])
    expected = np.clip((image[..., 2] - low) / (high - low) * 255, 0, 255)
    assert np.abs(stretched[..., 2] - expected).max() <= 0.5


def test_tissue_is_found_before_the_stretch():
    """Stretched, an evenly stained tile has colors that the filters were not made for."""
    tile = np.random.default_rng(0).integers(0, 20, (64, 64, 3), dtype=np.uint8) + np.uint8(1) * (
        np.asarray(PINK, np.uint8) - 10
    )
    patches = cut(tile, 49, settings=replace(SMALL, normalize="channel_stretch"))

    assert len(patches) == 49
    assert max(p.image.max() for p in patches) == 255


def inverted(image):
    """A recoloring that a test can check, and that is not tissue's color."""
    return 255 - image


def test_patches_are_recolored_and_their_places_are_not():
    """Tissue is found in the slide's own colors; few patches and many are colored alike."""
    tile = np.random.default_rng(0).integers(0, 20, (64, 64, 3), dtype=np.uint8) + np.uint8(1) * (
        np.asarray(PINK, np.uint8) - 10
    )
    tile[:, :32] = WHITE
    settings = replace(SMALL, normalize="macenko")
    seen = []

    def recolor(image):
        seen.append(image.shape[0])
        return inverted(image)

    as_they_are = cut(tile, 49)
    many = cut(tile, 49, settings=settings, recolor=recolor)
    few = cut(tile, 3, settings=settings, recolor=recolor)

    assert seen == [64, 16, 16, 16]  # the whole tile, where its patches overlap much; else each
    assert [(p.x_px, p.y_px) for p in many] == [(p.x_px, p.y_px) for p in as_they_are]
    for patch, plain_patch in zip(many, as_they_are, strict=True):
        assert np.array_equal(patch.image, inverted(plain_patch.image))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(few, many, strict=False))


def test_a_slide_without_a_recoloring_keeps_its_colors():
    """What a fallback is."""
    tile = plain(PINK, 64)

    assert (cut(tile, 1, settings=replace(SMALL, normalize="vahadane"))[0].image == PINK).all()


def test_the_target_is_part_of_the_settings():
    """Patches of two targets must never share a folder."""
    macenko = PatchSettings(normalize="macenko")
    other = replace(macenko, stain_target=StainTarget(strongest=(1.5, 1.0)))

    assert settings_from(PatchSettings, settings_dict(other)) == other
    assert settings_hash(settings_dict(other)) != settings_hash(settings_dict(macenko))
