"""Work of a study by stage, rates, and the bar on a terminal."""

import io
import shutil
from pathlib import Path

import pytest

from idhray import ledger
from idhray.stages.runtime.folder import DONE
from idhray.stages.studies.stage_counts import StageCount, StageRates, safe_counts, stage_counts
from idhray.stages.studies.study_bar import StudyBar
from idhray.table_parts import part_path


@pytest.fixture
def study(table_study, tmp_path):
    """A copy of a finished study that a test may take apart."""
    return Path(shutil.copytree(table_study, tmp_path / "study"))


def by_stage(study):
    return {count.stage: count for count in stage_counts(str(study))}


def test_a_finished_study_has_nothing_left(study):
    """Slides that failed are done with, too."""
    counts = by_stage(study)

    assert [*counts] == ["tiles", "patches", "generators", "synthetic", "sweep", "statistics"]
    assert all(count.is_done for count in counts.values())
    assert counts["tiles"].total == 60
    assert counts["generators"].total == 6 * 4.0  # kimg of six generators
    assert counts["sweep"].total == 3 * 3 * 4  # folds, repeats, arms


def test_totals_are_known_before_a_stage_begins(study):
    """Nobody can tell how far a run of a week is from the number of finished trainings alone."""
    for name in ("sweep", "statistics", "generators", "patches"):
        shutil.rmtree(study / name)
    counts = by_stage(study)

    assert (counts["sweep"].done, counts["sweep"].total) == (0, 36)
    assert (counts["generators"].done, counts["generators"].total) == (0, 24)
    assert (counts["patches"].done, counts["patches"].total) == (0, 60)
    assert not counts["statistics"].is_done


def test_a_stage_at_work_is_counted_by_its_ledger(study):
    """Folders without a seal are at work."""
    (study / "sweep" / DONE).unlink()
    names = sorted(ledger.fates(str(study / "sweep")))
    for name in names[:9]:
        Path(part_path(str(study / "sweep" / "_ledger"), name)).unlink()
    gan = study / "generators" / "fold-1" / "gan-mutant"
    (gan / DONE).unlink()
    (gan / "_history.json").write_text('{"history": [{"kimg": 1.5}]}')
    counts = by_stage(study)

    assert (counts["sweep"].done, counts["sweep"].total) == (27, 36)
    assert counts["sweep"].words == "27 of 36 trainings"
    assert counts["generators"].done == 5 * 4.0 + 1.5


def test_a_half_written_file_gives_no_counts_and_no_error(study):
    """The page must not stop a study."""
    (study / "sweep" / "protocol.json").write_text("{")

    assert safe_counts(str(study)) == []


def count(done, stage="sweep"):
    return StageCount(stage=stage, done=done, total=100, unit="trainings")


def test_time_left_is_that_of_the_measured_rate():
    """Work of an earlier run, on another machine perhaps, gives no rate."""
    rates = StageRates()

    assert rates.look([count(40)], now=0) == {}
    assert rates.look([count(40)], now=600) == {}  # waits for something else: no work yet
    assert rates.look([count(50)], now=700) == {"sweep": pytest.approx(500)}  # 10 in 100 s
    assert rates.look([count(60)], now=1000) == {"sweep": pytest.approx(40 / (20 / 400))}
    assert rates.look([count(100)], now=1100) == {}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_shows_the_present_stage_on_a_terminal_only():
    """Log files of a batch system would fill with it."""
    counts = [count(100, "tiles"), count(25), count(0, "statistics")]
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        with StudyBar(stream) as bar:
            bar.show(counts, {"sweep": 7200.0})

    assert "study, stage 2 of 3, sweep:  25%" in terminal.getvalue()
    assert "25 of 100 trainings, about 2.0 hours left" in terminal.getvalue()
    assert file.getvalue() == ""
