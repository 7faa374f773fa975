"""All facts of a study that reporting guidelines ask for."""

from idhray.report.checklists.guidelines import StudyFact
from idhray.stages.checklists.cohort_facts import cohort_facts, input_facts
from idhray.stages.checklists.experiment_facts import experiment_facts, preparation_facts
from idhray.stages.checklists.result_facts import external_facts, result_facts
from idhray.stages.studies.experiment_report import EXPERIMENT_LIMITS
from idhray.stages.studies.record import experiment_root, study_settings
from idhray.stages.studies.shared_sections import provenance_of
from idhray.storage import PROVENANCE, exists, join

LIBRARIES = ("python", "torch", "ray")


def study_facts(study: str, experiment: str | None = None) -> dict[str, StudyFact]:
    """Name -> fact; a fact that no file states is left out.

    Args:
        study: Folder of the study.
        experiment: Name of a further experiment; None for the first one.
    """
    root = experiment_root(study, experiment)
    settings = study_settings(study, experiment)
    facts = {
        **cohort_facts(study),
        **input_facts(study),
        **preparation_facts(settings),
        **experiment_facts(root),
        **result_facts(root),
        **external_facts(root),
        **_software(study),
    }
    if "seed" in settings:
        text = f"seed {settings['seed']}"
        facts["software.seed"] = StudyFact(text=text, source="_settings.json: seed")
    if "result.verdict" in facts and exists(join(root, "sweep")):
        text = " ".join(EXPERIMENT_LIMITS)
        facts["report.limits"] = StudyFact(text=text, source="report.html: Limits")
    return facts


def _software(study: str) -> dict[str, StudyFact]:
    """Version of the package, of its libraries, and the machine."""
    if not exists(join(study, PROVENANCE)):
        return {}
    recorded = provenance_of(study)
    facts = {}
    if "idhray" in recorded:
        commit = f" (commit {recorded['commit']})" if recorded.get("commit") else ""
        facts["software.version"] = (f"idhray {recorded['idhray']}{commit}", "idhray, commit")
    if libraries := [f"{name} {recorded[name]}" for name in LIBRARIES if name in recorded]:
        facts["software.libraries"] = (", ".join(libraries), ", ".join(LIBRARIES))
    if "machine" in recorded:
        facts["software.machine"] = (recorded["machine"], "machine")
    return {
        name: StudyFact(text=text, source=f"{PROVENANCE}: {column}")
        for name, (text, column) in facts.items()
    }
