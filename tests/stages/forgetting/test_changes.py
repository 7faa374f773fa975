"""Which files a withdrawal deletes, by their place."""

from idhray.stages.forgetting.changes import Change, change_of


class Unmasked:
    """A patient whose name is in no text."""

    def __getattr__(self, name):
        return lambda text, **_: text


def test_files_beside_a_report_are_deleted_and_others_of_that_name_are_not(tmp_path):
    """Figures hold counts that the patient is part of; a folder `report` of the user's stays."""
    for name in ("study/report", "mine/report"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "table.svg").write_text("<svg/>")
    (tmp_path / "study" / "_study.json").write_text("{}")
    figure = str(tmp_path / "study" / "report" / "table.svg")

    assert change_of(figure, None) == Change(path=figure, kind="delete")
    assert change_of(str(tmp_path / "mine" / "report" / "table.svg"), Unmasked()) is None


def test_the_page_of_the_progress_is_deleted(tmp_path):
    """It is made again while the study runs."""

    page = str(tmp_path / "progress.html")

    assert change_of(page, Unmasked()) == Change(path=page, kind="delete")
