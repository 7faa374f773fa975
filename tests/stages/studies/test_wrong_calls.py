"""Patients called wrongly, the work of a study, and the appendix with a picture of each input."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from idhray.cli import run
from idhray.planning.cluster_cost import Prices
from idhray.stages.studies.appendix import write_appendix
from idhray.stages.studies.work_section import work_table
from tests.stages.studies.study_of_tables import PRIMARY


@pytest.fixture(scope="module")
def reported(table_study, tmp_path_factory):
    """A copy of a finished study with its report, made by the command with a price."""
    folder = Path(shutil.copytree(table_study, tmp_path_factory.mktemp("reported") / "study"))
    assert run(["report", "--study", str(folder), "--price-gpu-hour", "2.5"]) == 0
    return folder


def table(study, name):
    path = study / "report" / f"{name}.csv"
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def test_each_wrong_call_is_listed_once_with_both_scores(reported):
    """Counted again from the predictions by a plain loop."""
    rows = pd.read_csv(reported / "statistics" / "predictions.csv")
    test = rows[rows["split"] == "test"]
    wrong = set()
    for (arm, patient), scores in test.groupby(["arm", "patient"]):
        call = "mutant" if scores["p_mutant"].mean() >= 0.5 else "wildtype"
        if arm in ("real", PRIMARY) and call != scores["idh"].iloc[0]:
            wrong.add((arm, patient))
    listed = table(reported, "patients-called-wrongly")
    marked = {
        (arm, row["Patient"])
        for row in listed.to_dict("records")
        for arm in ("real", PRIMARY)
        if row[f"Score, {arm}"].endswith("*")
    }

    assert wrong
    assert marked == wrong
    assert listed["Patient"].is_unique
    assert {"Age", "Sex", "Grade", "Site"} <= set(listed.columns)


def test_the_work_is_that_of_the_ledgers_and_its_price_that_of_the_hours(reported):
    """36 trainings of 20 s on a GPU, six generators of 4 kimg at 50 images/s on two of them."""
    rows = table(reported, "work-and-cost").set_index("Stage")
    trainings, generators = 36 * 20 / 3600, 6 * 2 * (4000 / 50) / 3600

    assert float(rows.loc["classifiers", "GPU-hours"]) == pytest.approx(trainings, abs=0.005)
    assert float(rows.loc["generators", "GPU-hours"]) == pytest.approx(generators, abs=0.005)
    assert float(rows.loc["tiles", "Hours"]) == pytest.approx(58 * 3 / 3600, abs=0.005)
    assert float(rows.loc["all", "Cost (USD)"]) == pytest.approx(
        2.5 * (trainings + generators), abs=0.01
    )


def test_without_prices_there_is_no_cost_and_without_work_no_table(table_study, tmp_path):
    """A cost of 0.00 would be a claim."""
    study = str(table_study)
    (plain,) = work_table(study, study, [])
    (cpu,) = work_table(study, study, [], Prices(cpu_hour=1.0, currency="EUR"))

    assert "Cost" not in " ".join(plain.header)
    assert cpu.header[-1] == "Cost (EUR)"
    assert work_table(str(tmp_path), str(tmp_path), []) == []


def test_the_appendix_has_each_picture_once_and_is_no_part_of_the_page(reported):
    """266 slides would make the page too large to send."""
    pictures = sorted(path.name for path in (reported / "tiles" / "quality").iterdir())
    page = (reported / "appendix.html").read_text()
    copies = sorted(path.name for path in (reported / "appendix" / "tiles").iterdir())

    assert copies == pictures
    assert len(pictures) == 58
    assert page.count('loading="lazy"') == 58
    assert "data:image" not in page
    assert 'href="appendix.html"' in (reported / "report.html").read_text()


def test_pictures_that_are_gone_leave_the_appendix(reported, tmp_path):
    """A withdrawn patient's slide must not stay."""
    study = Path(shutil.copytree(reported, tmp_path / "study"))
    (study / "tiles" / "quality" / "P000-A.jpg").unlink()
    count = write_appendix(str(study))
    shutil.rmtree(study / "tiles" / "quality")

    assert count == 57
    assert not (study / "appendix" / "tiles" / "P000-A.jpg").exists()
    assert write_appendix(str(study)) == 0
    assert not (study / "appendix.html").exists()


def test_names_of_slides_are_no_markup_and_no_address(table_study, tmp_path):
    """A file may be called anything."""
    name = 'a "b" <i>#%?.jpg'
    quality = tmp_path / "tiles" / "quality"
    quality.mkdir(parents=True)
    source = next((table_study / "tiles" / "quality").iterdir())
    shutil.copy(source, quality / name)
    write_appendix(str(tmp_path))
    page = (tmp_path / "appendix.html").read_text()

    assert "<i>" not in page
    assert "appendix/tiles/a%20%22b%22%20%3Ci%3E%23%25%3F.jpg" in page


def test_the_floor_is_drawn_with_the_fidelity(reported):
    """A KID says nothing without that of real images."""
    svg = (reported / "report" / "training-of-the-generators.svg").read_text()

    assert "real against real, mutant fold 1" in svg
    assert "real against real, wildtype fold 1" in svg
