"""The report of a slide study: its folders -> one self-contained report.html."""

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from idhray.cohorts.folds import FOLDS_FILE, read_folds
from idhray.cohorts.manifest import LABELS, patients_of, read_manifest
from idhray.config import recorded_settings, settings_from
from idhray.experiment.settings import ProtocolSettings
from idhray.gan.checkpoint import BOTH, MODEL
from idhray.generator_records import read_generator
from idhray.images import RGB, resize
from idhray.leakage import patient_splits, refuse_leaks, refuse_leaks_of_roles
from idhray.ledger import fates, tally
from idhray.planning.cluster_cost import Prices
from idhray.report.content import (
    GeneratorSummary,
    KeyFigure,
    Picture,
    ReportContent,
    ReportTable,
    SplitCount,
)
from idhray.report.figures import patch_sheet
from idhray.stages.experiment.outcome import is_experiment, read_outcome
from idhray.stages.gan_training.synthetic_card import synthetic_card
from idhray.stages.studies.appendix import write_appendix
from idhray.stages.studies.deviations import recorded_deviations
from idhray.stages.studies.experiment_report import (
    EXPERIMENT_LIMITS,
    experiment_figures,
    experiment_key_figures,
    feature_tables_of_report,
    further_models,
    generators_table,
    protocol_table,
    response_picture,
)
from idhray.stages.studies.experiment_statistics import experiment_report_tables, paper_tables
from idhray.stages.studies.external_cohorts import external_sections
from idhray.stages.studies.generator_section import (
    CARDS_NOTE,
    ancestry_note,
    evaluation_figures,
    evaluation_limits,
    evaluation_note,
    history_pictures,
    pairs_picture,
    walk_picture,
)
from idhray.stages.studies.generators import planned_generators
from idhray.stages.studies.judgment_section import (
    cohort_table,
    flow_picture,
    forest_pictures,
    probability_pictures,
)
from idhray.stages.studies.paper_tables import liu_report_tables
from idhray.stages.studies.record import (
    APPENDIX_PAGE,
    STUDY_FILE,
    experiment_root,
    study_settings,
)
from idhray.stages.studies.sample_images import images_of_table
from idhray.stages.studies.settings import (
    GENERATOR_GROUPS,
    PRESETS,
    StudySettings,
    generator_values,
)
from idhray.stages.studies.shared_sections import (
    data_card_files,
    fold_counts,
    ledger_flows,
    manifest_flow,
    provenance_of,
    publish_report,
    settings_groups,
    shown_gain,
    split_counts,
    tested_text,
    with_preset_first,
)
from idhray.stages.studies.slide_figures import slide_figures
from idhray.stages.studies.work_section import work_table
from idhray.stages.studies.wrong_calls import wrong_calls_table
from idhray.stats.arms.tables import answer_text, experiment_tables
from idhray.stats.interface.answer import interval_text
from idhray.stats.papers.liu.tables import LiuTables, liu_tables
from idhray.stats.settings import StatsSettings
from idhray.stats.text import printed, signed
from idhray.storage import SETTINGS, exists, join, read_json
from idhray.table_parts import read_table
from idhray.tables import PREDICTIONS

PATCHES_PER_CLASS = 16  # on the sheet of patches
STEPS = ("tiles", "patches")
LIMITS = (
    "One split of one cohort: another split, or patients of another hospital, may give another "
    "answer. Without an external test set this study says nothing of them.",
    "IDH status goes with tumor type, grade and age. A model may have learned any of these; a "
    "comparison within one grade is not part of this report.",
    "Synthetic images repeat what the training patients showed; they add no patients, and never "
    "count as cases in any figure here.",
)


def slide_report(
    study: str, experiment: str | None = None, prices: Prices | None = None
) -> dict[str, Any]:
    """Write `report.html` into the folder of a slide study.

    Args:
        study: Folder of the study.
        experiment: Name of a further experiment; None for the first one.
        prices: Prices of the work; None leaves its cost out.
    """
    root = experiment_root(study, experiment)
    places = _generator_places(study, study_settings(study, experiment))
    cards = {
        place.name: synthetic_card(
            place.synthetic, checkpoint=place.gan, evaluation=place.evaluation
        )
        for place in places
    }
    content = _content(study, experiment, prices)
    if experiment is None:
        write_appendix(study)
    page = APPENDIX_PAGE if experiment is None else f"../../{APPENDIX_PAGE}"  # of the same inputs
    if exists(join(study, APPENDIX_PAGE)):
        content = replace(content, appendix=page)
    return publish_report(root, content, data_card_files(cards))


@dataclass(frozen=True, kw_only=True)
class _Statistics:
    """The part of a report that comes from the predictions."""

    answer: Any
    verdict: str
    key_figures: list[KeyFigure]
    tables: list[ReportTable]
    conventions: list[str]
    figures: list[Picture]
    lead: Picture | None = None
    limits: tuple[str, ...]


def _content(study: str, experiment: str | None, prices: Prices | None) -> ReportContent:
    """All that the report shows. The statistics are computed again, as by `fit-stats`."""
    settings, root = study_settings(study, experiment), experiment_root(study, experiment)
    cohort = patients_of(read_manifest(join(study, "cohort.parquet")))
    conventions = recorded_settings(StatsSettings, read_json(join(root, "statistics", SETTINGS)))
    of_experiment = is_experiment(join(root, "sweep"))
    statistics = (_experiment if of_experiment else _older_sweep)(root, cohort, conventions)
    stand_in = next((c for c in cohort["cohort"] if c.startswith("stand-in")), "")
    made_up = bool(cohort["cohort"].str.startswith("phantom").all())
    images, places = _images_folder(study), _generator_places(study, settings)
    flows = [*manifest_flow(study), *ledger_flows(study, STEPS)]
    counts = _cohort_counts(study, cohort)
    return ReportContent(
        title=f"A test of the path on {stand_in}; nothing here is about IDH"
        if stand_in
        else "IDH mutation from H&E slides: do GAN-made images help?",
        question="Does adding GAN-made images to the training set improve the prediction of IDH "
        "mutation in patients nobody trained on, by how much, and could this cohort have shown it?",
        answer=statistics.answer,
        verdict=statistics.verdict,
        demonstration=made_up,
        lead=statistics.lead,
        key_figures=statistics.key_figures,
        cohort=counts,
        flows=[*flows, *ledger_flows(root, ("sweep",))],
        tables=[
            *cohort_table(cohort),
            *statistics.tables,
            *external_sections(root, conventions),
            *work_table(study, root, list(dict.fromkeys(place.gan for place in places)), prices),
            *recorded_deviations(settings),
        ],
        conventions=statistics.conventions,
        figures=[
            flow_picture(cohort, flows, tested_text(counts)),
            *statistics.figures,
            *history_pictures(_networks(places)),
        ],
        generators=[_generator(place) for place in places[: len(LABELS)]],
        generators_note=_generators_note(study, images, places),
        sheets=[_sheet(places[: len(LABELS)], images), *_pairs(places[: len(LABELS)])],
        settings=with_preset_first(
            settings_groups(settings, without=_unused_groups(study, settings)),
            {name: each for name, each in PRESETS.items() if isinstance(each, StudySettings)},
        ),
        provenance=_provenance(study, root, settings, places),
        limits=[
            *statistics.limits,
            *evaluation_limits({place.name: place.evaluation for place in places}),
            *_limits_of_settings(settings),
        ],
    )


def _cohort_counts(study: str, cohort: pd.DataFrame) -> list[SplitCount]:
    path = join(study, FOLDS_FILE)
    folds = len(read_folds(path).numbers()) if exists(path) else 1
    return split_counts(cohort) if folds == 1 else fold_counts(cohort, folds)


def _experiment(root: str, cohort: pd.DataFrame, conventions: StatsSettings) -> _Statistics:
    """Sections of an experiment with arms and a protocol."""
    outcome = read_outcome(join(root, "sweep"))
    rows, trials = outcome.of_model(outcome.model)
    tables = experiment_tables(rows, cohort, outcome.rule, conventions, trials=trials)
    paper = paper_tables(outcome, cohort, conventions)
    return _Statistics(
        answer=tables.verdict.answer,
        verdict=answer_text(tables),
        key_figures=experiment_key_figures(tables),
        tables=[
            *experiment_report_tables(tables),
            *further_models(outcome, conventions),
            protocol_table(outcome),
            *generators_table(outcome),
            *feature_tables_of_report(outcome),
            *wrong_calls_table(rows, tables, cohort),
            *(liu_report_tables(paper) if paper else []),
        ],
        conventions=[*tables.notes, *(paper.notes if paper else [])],
        lead=response_picture(tables),
        figures=[
            *experiment_figures(tables),
            *probability_pictures(rows, tables),
            *forest_pictures(tables),
            *(slide_figures(paper, cohort) if paper else []),
        ],
        limits=EXPERIMENT_LIMITS,
    )


def _older_sweep(root: str, cohort: pd.DataFrame, conventions: StatsSettings) -> _Statistics:
    """Sections of a sweep of version 0.1, without arms and protocol."""
    predictions = read_table(join(root, "sweep"), PREDICTIONS).to_pandas()
    tables = liu_tables(predictions, cohort, conventions)
    return _Statistics(
        answer=tables.verdict.answer,
        verdict=tables.verdict.sentence,
        key_figures=_key_figures(tables),
        tables=liu_report_tables(tables),
        conventions=tables.notes,
        figures=slide_figures(tables, cohort),
        limits=LIMITS,
    )


def _images_folder(study: str) -> str:
    """Folder of the PATCHES table that the study made or was given."""
    patches = join(study, "patches")
    if exists(join(patches, SETTINGS)):
        return patches
    return str(read_json(join(study, STUDY_FILE))["patches"])


def _key_figures(tables: LiuTables) -> list[KeyFigure]:
    verdict = tables.verdict
    rows = tables.table2[tables.table2["split"] == "test"].set_index("n_synthetic")
    figures = [
        KeyFigure(
            label="AUC on test without synthetic images",
            value=printed(rows.loc[0, "auc"]),
            detail=f"{_interval(rows.loc[0])} over patients; mean over the trainings",
        )
    ]
    if verdict.n_synthetic:
        figures += [
            KeyFigure(
                label=f"AUC on test with {verdict.n_synthetic:,} synthetic images",
                value=printed(rows.loc[verdict.n_synthetic, "auc"]),
                detail=f"{_interval(rows.loc[verdict.n_synthetic])}; "
                + (
                    "best of these on validation, where none did better"
                    if verdict.preferred_none
                    else "the count that did best on validation"
                ),
            ),
            KeyFigure(
                label="Difference in AUC",
                value=signed(verdict.difference),
                detail=f"95% CI {signed(verdict.ci_low)} to {signed(verdict.ci_high)}; "
                f"{verdict.ci_method}",
            ),
            KeyFigure(
                label="Gain that this cohort could have shown",
                value=shown_gain(verdict.detectable),
                detail="in AUC, with 80% power",
            ),
        ]
    patients = f"{verdict.n_mutant} mutant, {verdict.n_wildtype} wildtype"
    return [*figures, KeyFigure(label="Test patients", value=patients)]


def _interval(row: "pd.Series[float]") -> str:
    return interval_text(row["auc_low"], row["auc_high"])


@dataclass(frozen=True)
class _GeneratorPlace:
    """Folders of one generator."""

    name: str
    idh: str
    gan: str
    evaluation: str
    synthetic: str


def _generator_places(study: str, settings: dict[str, Any]) -> list[_GeneratorPlace]:
    """Folders of all generators of a study, in pairs of classes; version 0.1 had one pair."""
    if "protocol" not in settings:
        steps = ("gan", "evaluation", "synthetic")
        return [
            _GeneratorPlace(label, label, *(join(study, f"{step}-{label}") for step in steps))
            for label in LABELS
        ]
    protocol = settings_from(ProtocolSettings, settings["protocol"])
    return [
        _GeneratorPlace(
            name=f"{each.idh} {each.place.rpartition('/')[2].replace('-', ' ')}".rstrip(),
            idh=each.idh,
            gan=each.folder(study, "gan"),
            evaluation=each.folder(study, "evaluation"),
            synthetic=each.folder(study, "synthetic"),
        )
        for each in planned_generators(protocol, one_network=bool(settings.get("one_network")))
    ]


def _networks(places: list[_GeneratorPlace]) -> dict[str, str]:
    """Folder of each network by its name; the generators of both classes may share one."""
    by_folder: dict[str, list[_GeneratorPlace]] = {}
    for place in places:
        by_folder.setdefault(place.gan, []).append(place)
    return {
        sharing[0].name.replace(sharing[0].idh, BOTH) if len(sharing) > 1 else sharing[0].name: gan
        for gan, sharing in by_folder.items()
    }


def _generator(place: _GeneratorPlace) -> GeneratorSummary:
    model = read_json(join(place.gan, MODEL))
    shared = model["idh"] == BOTH
    return GeneratorSummary(
        name=f"{model['architecture'].upper()} of {place.name}",
        training_patients=len(model["patients"]),
        training_images=model["images"],
        kimg=model["images_shown"] / 1000,
        figures={
            "Resolution": f"{model['settings']['resolution_px']} px",
            **({"Network": "one of both classes; counts are those of both"} if shared else {}),
            "Images made": str(tally(fates(place.synthetic))["rows"]),
            **evaluation_figures(place.evaluation),
        },
    )


def _pairs(places: list[_GeneratorPlace]) -> list[Picture]:
    return [
        picture
        for place in places
        for picture in (
            *pairs_picture(place.evaluation, place.name),
            *walk_picture(place.evaluation, place.name),
        )
    ]


def _generators_note(study: str, images: str, places: list[_GeneratorPlace]) -> str:
    """Result of the leakage check, repeated on the tables on disk; a leak stops the report."""
    notes = f" {CARDS_NOTE}" if places else ""
    notes += ancestry_note([place.synthetic for place in places])
    notes += "".join(evaluation_note(place.evaluation, place.name) for place in places)
    if exists(join(study, FOLDS_FILE)):
        folds = read_folds(join(study, FOLDS_FILE))
        for place in places:
            fold = read_generator(place.synthetic).fold
            roles = folds.roles(fold or folds.numbers()[0])
            refuse_leaks_of_roles(roles, [place.synthetic])
        return (
            f"Checked when this report was made: none of the {len(places)} generators saw a "
            f"validation or test patient of its fold.{notes}"
        )
    refuse_leaks(images, [place.synthetic for place in places])
    held_out = sum(split != "train" for split in patient_splits(images).values())
    return (
        f"Checked when this report was made: none of the {held_out} validation and test patients "
        f"was among those that a generator saw.{notes}"
    )


def _sheet(places: list[_GeneratorPlace], images: str) -> Picture:
    """Real beside synthetic images of both classes, the real ones at the synthetic resolution."""
    side = read_json(join(places[0].gan, MODEL))["settings"]["resolution_px"]
    classes: dict[str, tuple[list[RGB], list[RGB]]] = {
        place.idh: (_some(images, side, {"idh": place.idh}), _some(place.synthetic, side, {}))
        for place in places
    }
    return Picture(
        title="Real and synthetic images",
        data=patch_sheet(classes),
        alt="Mosaics of real images beside synthetic ones, for both classes",
        caption="Real images (left), spread over patients, at the generators' resolution; the "
        "first synthetic ones (right), not selected.",
    )


def _some(folder: str, side_px: int, only: dict[str, str]) -> list[RGB]:
    """A few images of a table at one size."""
    return [resize(image, side_px) for image in images_of_table(folder, PATCHES_PER_CLASS, only)]


def _provenance(
    study: str, root: str, settings: dict[str, Any], places: list[_GeneratorPlace]
) -> dict[str, str]:
    origin = provenance_of(study)
    for place in places:
        model = read_json(join(place.gan, MODEL))
        origin[f"hash of the GAN's patients, {place.name}"] = model["trained_on"]
    if is_experiment(join(root, "sweep")):
        trials = read_outcome(join(root, "sweep")).trials
        hours = trials[["seconds", "gpu_seconds"]].sum() / 3600
        origin["hours of the classifiers' trainings"] = f"{hours['seconds']:.2f}"
        origin["GPU hours of these trainings"] = f"{hours['gpu_seconds']:.2f}"
    return {**origin, "seed": str(settings["seed"])}


def _stages_not_run(study: str) -> tuple[str, ...]:
    """Groups of settings of stages that did not run, because patches were given."""
    groups = {"tiling": "tiles", "patches": "patches"}
    return tuple(
        group for group, folder in groups.items() if not exists(join(study, folder, SETTINGS))
    )


def _unused_groups(study: str, settings: dict[str, Any]) -> tuple[str, ...]:
    """Groups of settings of stages that did not run, and of generators that were not trained."""
    groups = set(GENERATOR_GROUPS.values())
    used = GENERATOR_GROUPS[settings.get("generator", "pggan")]
    return (*_stages_not_run(study), *sorted(groups - {used}))


def _limits_of_settings(settings: dict[str, Any]) -> list[str]:
    """Limits of the result that come from settings far from the published ones."""
    small = generator_values(settings)["resolution_px"]
    if small >= 256:
        return []
    return [
        f"The generators made images of {small} px (Liu et al. 2020: 256 px), so that the study "
        "runs on a small machine: synthetic images are coarser than real ones."
    ]
