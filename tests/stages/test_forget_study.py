"""A patient leaves a real study of the phantom, made by all stages."""

import shutil

import pandas as pd

from idhray.ledger import fates
from idhray.stages.cut_patches import CutPatchesFlags, cut_patches
from idhray.stages.forget import ForgetFlags, forget
from idhray.stages.runtime.folder import seal
from idhray.stages.tile_slides import TileSlidesFlags, tile_slides
from idhray.table_parts import part_path
from tests.stages.conftest import PATCHES, TILING
from tests.stages.forgetting.traces import pictures, traces


def test_a_patient_leaves_a_whole_study_and_its_stages_go_on(small_study, tmp_path):
    """Nothing of the patient is left, and the table of tiles is the one of a fresh run."""
    study = str(shutil.copytree(small_study, tmp_path / "study"))
    cohort = pd.read_parquet(f"{study}/cohort.parquet")
    row = cohort[(cohort["split"] == "train") & (cohort["idh"] == "mutant")].iloc[0]
    patient, slide = row["patient"], row["slide"].rsplit("/", 1)[-1].removesuffix(".svs")
    part = part_path("", slide)[1:].removesuffix(".parquet")
    secrets = [*pictures(study, patient), patient.encode(), part.encode()]
    assert len(traces(study, secrets)) > 10
    before = {name: seal(f"{study}/{name}") for name in ("gan-mutant", "synthetic-wildtype")}
    result = forget(ForgetFlags(study=study, patient=(patient,)))

    assert result["finished"], result["text"]
    assert traces(study, secrets) == []
    assert {name: seal(f"{study}/{name}") for name in before} == before
    assert "gan-mutant: generator: trained on the patient's images: stays" in result["text"]
    assert "gan-wildtype: generator" not in result["text"]

    manifest = str(tmp_path / "manifest.csv")
    cohort[cohort["patient"] != patient].to_csv(manifest, index=False)
    tiles, sealed, work = f"{study}/tiles", seal(f"{study}/tiles"), fates(f"{study}/tiles")
    tile_slides(TileSlidesFlags(manifest=manifest, out=tiles, settings=TILING, seed=1))
    assert (seal(tiles), fates(tiles)) == (sealed, work)
    patches = f"{study}/patches"
    cut_patches(CutPatchesFlags(tiles=tiles, out=patches, settings=PATCHES, seed=1))
    fresh = str(tmp_path / "fresh")
    cut_patches(CutPatchesFlags(tiles=tiles, out=fresh, settings=PATCHES, seed=1))
    assert seal(patches) == seal(fresh)
