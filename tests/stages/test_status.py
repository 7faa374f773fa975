"""`idhray status` says what a folder is, what made it, and how to continue."""

import shutil

import pytest

from idhray.errors import StorageError
from idhray.ledger import Fate, record
from idhray.stages.forget import ForgetFlags, forget
from idhray.stages.runtime.origins import mixture, origin_text, origins
from idhray.stages.status import StatusFlags, status
from idhray.stages.studies.shared_sections import provenance_of
from idhray.storage import PROVENANCE, publish_json
from tests.stages.forgetting.made_up_study import SECRET, made_up_study


@pytest.fixture(scope="module")
def finished_study(tmp_path_factory):
    return made_up_study(tmp_path_factory.mktemp("made") / "study")


def fate(name, version=1, day=""):
    return Fate(input=name, status="done", rows=1, stage_version=version, day=day)


def test_a_finished_study_needs_nothing(finished_study):
    """The command that makes it would do nothing, too."""
    result = status(StatusFlags(folder=finished_study))

    assert result["complete"]
    assert result["next"] == ""
    (tiles,) = [each for each in result["folders"] if each["folder"] == "tiles"]
    assert (tiles["done"], tiles["rows"]) == (8, 16)
    assert "tiles: tile_slides, complete; 8 done; 16 rows" in result["text"]


def test_an_unfinished_folder_is_named(finished_study, tmp_path):
    """The first question after a night is what is missing."""
    study = shutil.copytree(finished_study, tmp_path / "study")
    (study / "patches/_done.json").unlink()
    (study / "report.html").unlink()
    result = status(StatusFlags(folder=str(study)))

    assert not result["complete"]
    assert result["next"].startswith(f"the same `idhray study --out {study}` again (patches)")


def test_parts_of_several_versions_are_counted_by_version_and_day():
    """A reader of the results must know that two programs made them."""
    ledger = {
        name: fate(name, version, day)
        for name, version, day in (
            ("a", 1, "2026-01-02"),
            ("b", 1, "2026-01-01"),
            ("c", 2, "2026-03-01"),
            ("d", 2, "2026-03-01"),
        )
    }

    assert [(o.version, o.day, o.inputs) for o in origins(ledger)] == [
        (1, "2026-01-01", 1),
        (1, "2026-01-02", 1),
        (2, "2026-03-01", 2),
    ]
    assert origin_text(origins(ledger)) == (
        "2 by version 1 of the stage on 2026-01-01 to 2026-01-02; "
        "2 by version 2 of the stage on 2026-03-01"
    )


def test_the_report_has_a_line_only_where_versions_are_mixed(tmp_path):
    """One line too many on every page would not be read."""
    folder = str(tmp_path)
    publish_json(f"{folder}/{PROVENANCE}", {"idhray": "0.1.0", "commit": "1234567890"})
    assert mixture(folder, {"a": fate("a")}) == ""

    publish_json(
        f"{folder}/{PROVENANCE}",
        {"idhray": "0.1.0", "commit": "", "continued_with": [{"idhray": "0.2.0", "commit": ""}]},
    )
    assert mixture(folder, {"a": fate("a"), "b": fate("b", 2)}) == (
        "1 by version 1 of the stage on an unknown day; 1 by version 2 of the stage on an unknown "
        "day; made with idhray 0.1.0, then 0.2.0"
    )


def test_withdrawals_are_counted(finished_study, tmp_path):
    """Weights that still carry a withdrawn patient must not be overlooked."""
    study = str(shutil.copytree(finished_study, tmp_path / "study"))
    forget(ForgetFlags(study=study, patient=(SECRET,)))
    result = status(StatusFlags(folder=study))

    assert (result["withdrawn"], result["open_withdrawals"]) == (1, 0)
    assert {"generators/fold-1/gan-mutant", "sweep"} <= {*result["descendants_of_withdrawn"]}
    assert provenance_of(study)["withdrawn patients"].startswith("1 (")
    assert "generators/fold-1/gan-mutant" in provenance_of(study)["made with their images"]

    publish_json(f"{study}/generators/fold-1/gan-mutant/_done.json", {"digest": "made anew"})
    result = status(StatusFlags(folder=study))
    assert "generators/fold-1/gan-mutant" not in result["descendants_of_withdrawn"]


def test_a_folder_of_something_else_is_refused(tmp_path):
    """It has no settings."""
    record(str(tmp_path), fate("a"))

    with pytest.raises(StorageError, match=r"no _settings.json"):
        status(StatusFlags(folder=str(tmp_path)))


def test_numbers_of_the_metrics_are_told_without_prometheus(tmp_path):
    """Hours of work and new tries of a table; the clock of a training."""
    table, gan = tmp_path / "tiles", tmp_path / "gan"
    publish_json(f"{table}/_settings.json", {"stage": "tile_slides"})
    record(str(table), Fate(input="a", status="done", rows=2, seconds=5400, attempts=2))
    record(str(table), Fate(input="b", status="failed", error="x", seconds=1800))
    publish_json(f"{gan}/_settings.json", {"stage": "train_gan"})
    publish_json(f"{gan}/_history.json", {"history": [{"kimg": 1.0}, {"kimg": 2.5, "loss": 0.5}]})
    (entry,) = status(StatusFlags(folder=str(table)))["folders"]
    training = status(StatusFlags(folder=str(gan)))

    assert (entry["work_hours"], entry["retries"]) == (2.0, 1)
    assert training["folders"][0]["training"] == {"kimg": 2.5, "loss": 0.5}
    assert "train_gan, not complete; kimg 2.5" in training["text"]
