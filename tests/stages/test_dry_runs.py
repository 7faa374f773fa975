"""--dry-run of single stages: nothing is written, and what is said is what the run then does."""

from dataclasses import replace

import pytest

from idhray.errors import StorageError
from idhray.stages.cut_patches import CutPatchesFlags, cut_patches
from idhray.stages.synthesize import SynthesizeFlags, synthesize
from idhray.stages.tile_slides import TileSlidesFlags, tile_slides
from idhray.stages.train_gan import TrainGanFlags, train_gan
from idhray.table_parts import read_table
from idhray.tables import PATCHES
from tests.stages.forgetting.made_up_study import tree
from tests.stages.growing_study import GAN, PATCH, TILING, GrowingStudy, make_slides
from tests.stages.in_process import without_ray


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """Tiles and patches of twelve patients, made without Ray."""
    slides = make_slides(tmp_path_factory.mktemp("slides"))
    study = GrowingStudy(tmp_path_factory.mktemp("study"), slides).begin()
    with without_ray():
        study.update(last="patches")
    return study


def tiles(study, out, **changes):
    return TileSlidesFlags(
        manifest=study.path("manifest.csv"), out=str(out), settings=TILING, **changes
    )


def patches(study, out, **changes):
    return CutPatchesFlags(
        tiles=study.path("tiles"),
        out=str(out),
        settings=PATCH,
        folds=study.path("folds.parquet"),
        **changes,
    )


def test_a_new_folder_is_to_do_and_stays_away(begun, tmp_path):
    """Ray is not started either: this test has none."""
    result = tile_slides(tiles(begun, tmp_path / "out", dry_run=True))

    assert result["state"] == "to do"
    assert f"reads: 12 slides of {begun.path('manifest.csv')}" in result["text"]
    assert "not known: no input was done in this folder yet" in result["text"]
    assert not (tmp_path / "out").exists()


def test_a_finished_folder_is_up_to_date_and_unchanged(begun):
    """With --overwrite all of it is to do."""
    before = tree(begun.path("tiles"))
    done = tile_slides(tiles(begun, begun.path("tiles"), dry_run=True))
    again = tile_slides(tiles(begun, begun.path("tiles"), dry_run=True, overwrite=True))

    assert (done["state"], again["state"]) == ("up to date", "to do")
    assert "nothing is left to do" in done["text"]
    assert tree(begun.path("tiles")) == before


def test_other_settings_are_refused_as_the_run_refuses_them(begun):
    """The reason names the setting."""
    other = replace(TILING, min_tissue_fraction=0.4)
    flags = replace(tiles(begun, begun.path("tiles")), settings=other)
    result = tile_slides(replace(flags, dry_run=True))

    assert result["state"] == "refused"
    assert "min_tissue_fraction: was 0.2, now 0.4" in result["text"]
    assert "the command would refuse" in result["text"]


def test_the_number_of_patches_is_what_the_run_cuts(begun):
    """All tiles of the phantom have enough tissue for some of their patches only."""
    result = cut_patches(patches(begun, begun.path("patches"), dry_run=True))
    number = int(result["text"].split("writes: ")[1].split(" ")[0])

    assert result["state"] == "up to date"
    assert number >= len(read_table(begun.path("patches"), PATCHES)) > 0


def test_a_training_is_timed_on_this_machine_for_each_class(begun, tmp_path):
    """Two classes have a folder each."""
    flags = TrainGanFlags(
        images=begun.path("patches"),
        idh=("mutant", "wildtype"),
        out=str(tmp_path / "gans"),
        settings=GAN,
        folds=begun.path("folds.parquet"),
        fold=1,
        allow_few=True,
        dry_run=True,
    )
    result = train_gan(flags)

    assert result["states"] == {"mutant": "to do", "wildtype": "to do"}
    assert result["text"].count("by steps timed on one") == 2
    assert not (tmp_path / "gans").exists()


def test_images_of_an_unfinished_generator_are_refused_at_once(tmp_path):
    """A dry run that says yes to what cannot run would be a lie."""
    flags = SynthesizeFlags(
        checkpoint=str(tmp_path / "gan"), count=8, out=str(tmp_path / "out"), dry_run=True
    )
    with pytest.raises(StorageError):
        synthesize(flags)
