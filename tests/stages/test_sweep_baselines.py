"""A sweep of the arm `real` alone: baselines, several networks, and no verdict."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from idhray.errors import ConfigError
from idhray.experiment.settings import PRESETS
from idhray.ledger import fates
from idhray.stages.experiment.outcome import read_outcome
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.stages.fit_stats import FitStatsFlags, fit_stats
from idhray.stats.settings import StatsSettings
from tests.stages.made_up_experiment import PATIENTS, TINY, label_of, patches
from tests.stages.test_sweep import inputs as inputs
from tests.stages.test_sweep import predictions, run, with_protocol

NETWORKS = ("resnet14t", "resnet18", "resnet26")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Ages that tell mutants well, sexes and grades that do not."""
    path = tmp_path_factory.mktemp("cohort") / "manifest.csv"
    rows = [
        {
            "patient": name,
            "idh": label_of(name),
            "age": (35 if name[0] == "M" else 60) + 2 * place,
            "sex": "fm"[place % 2],
            "grade": 2 + place % 2,
            "split": "test" if place % 9 < 3 else "val" if place % 9 < 5 else "train",
            "slide": f"{name}.svs",
        }
        for place, name in enumerate(PATIENTS)
    ]
    pd.DataFrame(rows).to_csv(path, index=False)
    return str(path)


def statistics(out, manifest):
    flags = FitStatsFlags(
        predictions=(str(out),),
        manifest=manifest,
        out=f"{out}-statistics",
        settings=StatsSettings(bootstrap_draws=100),
    )
    return fit_stats(flags)


def test_the_real_images_alone_give_baselines_and_no_verdict(
    ray_local, inputs, manifest, tmp_path, caplog
):
    """What a cohort shows without any generator is the first question of a study."""
    settings = with_protocol(counts=(), controls=("duplicate",), online_arms=True, repeats=3)
    settings = replace(settings, classifiers=("frozen",))
    result = run(tmp_path / "out", inputs, settings, synthetic=())
    statement = statistics(tmp_path / "out", manifest)
    folder = tmp_path / "out-statistics"
    baselines = pd.read_csv(folder / "baselines.csv")
    strata = pd.read_csv(folder / "strata.csv")
    page = (folder / "tables.html").read_text()

    assert "the arm `real` alone is trained, and nothing is compared with it" in caplog.text
    assert set(predictions(tmp_path / "out")["arm"]) == {"real"}
    assert "efficientnet_lite0" in result["text"]
    assert (statement["answer"], result["primary"]) == ("no comparison", "")
    assert "No arm was compared with arm real, so that there is no verdict." in statement["text"]
    assert "18 patients (9 mutant, 9 wildtype), each tested in one of 3 folds" in statement["text"]
    assert list(baselines["predictor"]) == ["age", "sex", "grade", "image", "image + age"]
    assert baselines["auc"].between(0, 1).all()
    assert baselines["fitted_on"].iloc[-1] == "inner folds of training patients"
    assert set(strata["stratum"]) == {"grade", "sex", "age"}
    assert "no comparison" in page.lower()
    assert json.loads((folder / "statistics.json").read_text())["rule"]["primary"] == ""
    assert read_outcome(str(tmp_path / "out")).protocol.detectable == ""


def test_one_command_makes_liu_s_table_of_networks(ray_local, manifest, tmp_path):
    """Table 1 of the paper: four networks, the same patients, validation and test."""
    images = patches(tmp_path / "patches")
    roles = pd.read_csv(manifest)
    table = pd.DataFrame(
        {
            "patient": roles["patient"],
            "idh": roles["idh"],
            "fold": 1,
            "role": roles["split"],
        }
    )
    table.to_csv(tmp_path / "folds.csv", index=False)
    protocol = replace(PRESETS["liu2020-table1"], repeats=2, train_per_class=16, eval_per_patient=2)
    settings = ExperimentSettings(
        protocol=protocol, classifier=replace(TINY, epochs=1), networks=NETWORKS
    )
    flags = {"images": images, "folds": str(tmp_path / "folds.csv")}
    result = run(tmp_path / "out", flags, settings)
    before = fates(str(tmp_path / "out"))
    statement = statistics(tmp_path / "out", manifest)
    paper = pd.read_csv(tmp_path / "out-statistics" / "liu2020-table1.csv")
    classifiers = pd.read_csv(tmp_path / "out-statistics" / "classifiers.csv")
    names = [*NETWORKS, TINY.backbone]

    assert (result["trainings"], len(before)) == (8, 8)
    assert result["text"].startswith("Table 1. ")
    for heading in ("Validation: 2 mutant, 2 wildtype", "Test: 3 mutant, 3 wildtype"):
        assert heading in result["text"]
    assert all(result["text"].count(name) == 2 for name in names)
    assert sorted(classifiers["model"]) == sorted(names)
    assert sorted(paper.loc[paper["split"] == "test", "model"]) == sorted(names)
    assert "Table 1. " in statement["text"]

    fewer = replace(settings, networks=())
    run(tmp_path / "out", flags, fewer)
    assert fates(str(tmp_path / "out")) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"networks": ("resnet10t",)}, "without the backbone; got resnet10t, resnet10t"),
        ({"networks": ("vgg19",), "classifiers": ("frozen",)}, "only if --classifiers has"),
    ],
)
def test_networks_that_are_no_further_ones_are_refused(changes, message):
    """Two trainings of one name would be one row."""
    with pytest.raises(ConfigError, match=message):
        ExperimentSettings(classifier=TINY, **changes)


def test_a_network_that_is_none_is_refused_before_anything_is_written(inputs, tmp_path):
    """It would fail after the trainings of the others."""
    settings = replace(with_protocol(), networks=("resnet1",))
    with pytest.raises(ConfigError, match="'resnet1' is not a network of timm"):
        run(tmp_path / "out", inputs, settings)

    assert not (tmp_path / "out").exists()
