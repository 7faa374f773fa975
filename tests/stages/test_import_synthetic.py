"""Images of any generator: declared, guarded, judged by the gate, and told apart in the report."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from idhray.errors import ConfigError, LeakageError, StorageError
from idhray.fidelity.gate_settings import CopySettings
from idhray.fidelity.settings import FidelitySettings
from idhray.fingerprints import is_marked_synthetic
from idhray.generator_records import read_gate, read_generator
from idhray.leakage import refuse_equal_weights, refuse_leaks_of_roles
from idhray.ledger import fates
from idhray.report.data_card import CARD_NAME
from idhray.stages.experiment.protocol_file import declaration_of
from idhray.stages.gan_training.synthetic_card import write_synthetic_card
from idhray.stages.gan_training.synthetic_evaluation import (
    SyntheticEvaluationTask,
    evaluate_synthetic,
)
from idhray.stages.import_synthetic import ImportSyntheticFlags, import_synthetic
from idhray.stages.runtime.folder import seal
from idhray.table_fingerprints import table_fingerprints
from idhray.table_parts import read_table
from idhray.tables import SYNTHETIC
from tests.stages.in_process import without_ray
from tests.stages.made_up_experiment import PATIENTS, patches, rgb

TRAINED = ("M03", "M04", "M05", "M06", "M07", "M08")


def pictures(folder, count=24, size=32):
    """A folder of PNG files of another program."""
    folder.mkdir()
    for k in range(count):
        image = Image.fromarray(rgb("M", "other", k)).resize((size, size))
        image.save(folder / f"{k:03d}.png")
    return folder


@pytest.fixture
def flags(tmp_path):
    """Flags of an import of 24 images of a generator of six mutants."""
    (tmp_path / "patients.txt").write_text("\n".join(TRAINED) + "\n")
    return ImportSyntheticFlags(
        source=str(pictures(tmp_path / "made")),
        out=str(tmp_path / "synthetic"),
        format="folder",
        idh="mutant",
        generator="ddpm-1",
        declared_by="A. Person",
        trained_on=str(tmp_path / "patients.txt"),
        images=patches(tmp_path / "patches"),
    )


def run(flags):
    with without_ray():
        return import_synthetic(flags)


def test_the_record_says_that_it_is_declared_by_whom_and_when(flags):
    """Nobody can check the list, so whoever reads the verdict must see this."""
    run(flags)
    record = read_generator(flags.out)

    assert (record.source, record.declared_by) == ("declared", "A. Person")
    assert record.patients == TRAINED
    assert "declared by A. Person" in record.ancestry[0]
    assert declaration_of(record)["declared_on"] == record.declared_on
    assert declaration_of(replace(record, source="recorded")) == {}


def test_a_data_card_lies_beside_the_table_and_follows_the_verdict(flags):
    """Images are handed on; what they are must go with them, and not who is behind them."""
    run(flags)
    path = Path(flags.out) / f"{CARD_NAME}.json"
    before = json.loads(path.read_text())
    evaluate_synthetic(task(flags))
    write_synthetic_card(flags.out, evaluation=f"{flags.out}-evaluation")
    after = json.loads(path.read_text())

    assert before["training_data"]["patients"] == len(TRAINED)
    assert before["compliance"]["test_for_copies_and_diversity"] is None
    assert after["compliance"]["judged_images"] == 24
    assert after["congruence"]["KID"]["real_floor"] is not None
    assert not [name for name in TRAINED if f'"{name}"' in path.read_text()]


def test_the_table_is_that_of_synthesize(flags):
    """Marked PNG, numbered through, so that everything downstream reads it."""
    run(flags)
    rows = read_table(flags.out, SYNTHETIC).to_pandas()

    assert rows["index"].tolist() == list(range(24))
    assert set(rows["idh"]) == {"mutant"}
    assert all(is_marked_synthetic(cell["bytes"]) for cell in rows["image"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trained_on": None}, "--trained-on FILE"),
        ({"trained_on_external": True}, "--trained-on FILE"),
        ({"declared_by": " "}, "--declared-by"),
    ],
)
def test_images_without_a_declaration_are_refused(flags, changes, message):
    """A test patient may be among the patients of an unknown list."""
    with pytest.raises(ConfigError, match=message):
        run(replace(flags, **changes))


def test_a_list_of_other_names_is_refused(flags, tmp_path):
    """`TCGA-1` and `patient 1` never meet at the door."""
    (tmp_path / "other.txt").write_text("X1\nX2\n")
    with pytest.raises(ConfigError, match="has none of its 2 patients"):
        run(replace(flags, trained_on=str(tmp_path / "other.txt")))


def test_a_test_patient_in_the_list_is_refused_at_the_door(flags):
    """The declared list is compared like a recorded one."""
    run(flags)
    roles = dict.fromkeys(PATIENTS, "train")
    refuse_leaks_of_roles(roles, [flags.out])

    with pytest.raises(LeakageError, match="M05: test"):
        refuse_leaks_of_roles({**roles, "M05": "test"}, [flags.out])


def test_an_image_of_a_patient_among_them_is_refused(flags, tmp_path):
    """A copy would stand in training as a new image of a mutant."""
    Image.fromarray(rgb("M07", 2)).save(tmp_path / "made" / "copy.png")

    with pytest.raises(LeakageError, match=r"1 images equal images of patients, .* M07"):
        run(flags)
    with pytest.raises(StorageError):
        seal(flags.out)


def test_the_same_images_under_two_names_are_one_generator(flags, tmp_path):
    """One luck would count twice."""
    run(flags)
    other = replace(flags, out=str(tmp_path / "again"), generator="ddpm-2")
    run(other)
    records = {folder: read_generator(folder) for folder in (flags.out, other.out)}

    with pytest.raises(LeakageError, match="two generators with equal weights"):
        refuse_equal_weights(records)


def test_images_of_another_size_are_named_and_left_out(flags, tmp_path):
    """One odd file must not cost the others."""
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(tmp_path / "made" / "small.png")
    run(flags)
    notes = [fate.error for fate in fates(flags.out).values()]

    assert len(read_table(flags.out, SYNTHETIC)) == 24
    assert any("small.png is 16 x 16 px" in note for note in notes)


def test_parquet_files_of_another_program_are_read(flags, tmp_path):
    """Hugging Face data sets have a column `image` of bytes and path."""
    run(flags)
    again = replace(
        flags, source=flags.out, format="parquet", out=str(tmp_path / "b"), generator="c"
    )
    run(again)

    pixels = [set(table_fingerprints(folder).pixels) for folder in (flags.out, again.out)]
    assert pixels[0] == pixels[1]


def task(flags, **changes):
    return SyntheticEvaluationTask(
        synthetic=flags.out,
        generator=seal(flags.out),
        images=flags.images,
        images_digest="d",
        folds=None,
        out=f"{flags.out}-evaluation",
        fidelity=FidelitySettings(),
        copies=CopySettings(),
        count=100,
        features="random",
        **changes,
    )


def test_a_near_copy_fails_the_gate_of_the_whole_table(flags, tmp_path):
    """It cannot be made again without it: the source has to lose it."""
    brighter = np.clip(rgb("M07", 2).astype(int) + 2, 0, 255).astype(np.uint8)
    Image.fromarray(brighter).save(tmp_path / "made" / "near.png")
    run(flags)
    evaluate_synthetic(task(flags))
    gate = read_gate(flags.out)

    assert gate.state == "failed"
    assert any("copies of training images" in reason for reason in gate.reasons)


def test_a_later_import_removes_the_verdict_on_other_images(flags, tmp_path):
    """The gate would vouch for images that it never saw."""
    run(flags)
    evaluate_synthetic(task(flags))
    assert read_gate(flags.out) is not None
    Image.fromarray(rgb("M", "further", 1)).save(tmp_path / "made" / "999.png")
    run(flags)

    assert read_gate(flags.out) is None
