"""Progress of a study that is not finished: counts, and no result of any arm."""

import json

import pandas as pd
import pytest

from idhray.errors import StorageError
from idhray.stages.report import ReportFlags, report
from idhray.stages.studies.progress_page import progress_while_running


@pytest.fixture
def half_study(tmp_path):
    """A study whose sweep has begun, with predictions and metrics of its trainings."""
    (tmp_path / "_settings.json").write_text('{"stage": "study", "kind": "slides"}')
    for name in ("tiles", "sweep", "generators/fold-1/gan-mutant"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        stage = {"tiles": "tile_slides", "sweep": "sweep"}.get(name, "train_gan")
        (folder / "_settings.json").write_text(json.dumps({"stage": stage}))
    history = {"history": [{"kimg": 12.0, "d_loss": 0.7, "val_auc": 0.987, "auc": 0.987}]}
    gan = tmp_path / "generators" / "fold-1" / "gan-mutant"
    (gan / "_history.json").write_text(json.dumps(history))
    trials = pd.DataFrame({"arm": ["synthetic:120"], "val_auc": [0.987], "p_mutant": [0.987]})
    trials.to_parquet(tmp_path / "sweep" / "part-1.parquet")
    return tmp_path


def test_a_half_finished_study_gets_counts_and_no_verdict(half_study):
    """Who watches results can stop at a lucky moment; the page must not show any."""
    result = report(ReportFlags(study=str(half_study)))
    page = (half_study / "progress.html").read_text()
    record = json.loads((half_study / "status.json").read_text())

    assert result["not_begun"] == record["not_begun"] == ["patches", "statistics"]
    assert "No verdict yet" in page
    assert "12" in page
    for word in ("0.987", "synthetic:120", "<script"):
        assert word not in page
    assert not (half_study / "report.html").exists()


def test_a_folder_of_something_else_is_refused(tmp_path):
    """The page would say that nothing has begun."""
    with pytest.raises(StorageError, match=r"no _settings\.json"):
        report(ReportFlags(study=str(tmp_path)))


def test_a_running_study_leaves_a_page_and_never_fails_for_it(half_study, tmp_path):
    """The page is a convenience; a full disk must not stop a study through it."""
    with progress_while_running(str(half_study)):
        pass
    (half_study / "status.json").unlink()
    (half_study / "status.json").mkdir()
    with progress_while_running(str(half_study)):
        pass

    assert (half_study / "progress.html").exists()
