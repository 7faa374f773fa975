"""Imports point downward, and the science runs without Ray."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import idhray

ROOT = Path(idhray.__file__).parent
FOLDERS = {
    "slides",
    "mri",
    "gan",
    "fidelity",
    "classify",
    "stats",
    "experiment",
    "planning",
    "phantom",
    "report",
    "exchange",
    "shell",
}
# Folders that may also import these folders of their row.
MAY_USE = {"planning": {"stats"}, "experiment": {"stats"}}
# What each module at the top of the package may import of the others; folders may import all.
SHARED = {
    "errors": set(),
    "chance": set(),
    "config": {"errors"},
    "plain_output": set(),
    "surroundings": {"errors"},
    "usable_cpus": set(),
    "locks": set(),
    "log_lines": {"errors"},
    "patience": {"errors"},
    "object_store": {"patience"},
    "uris": {"object_store", "patience", "errors"},
    "leases": {"object_store", "uris", "errors"},
    "entity_tags": {"object_store", "uris", "errors"},
    "file_tree": set(),
    "storage": {"uris", "locks", "leases", "object_store", "config", "errors"},
    "tables": set(),
    "fingerprints": {"images", "tables", "errors"},
    "table_fingerprints": {
        *("fingerprints", "table_parts", "tables", "input_digest", "storage", "errors"),
    },
    "table_parts": {"fingerprints", "tables", "storage", "errors"},
    "images": {"errors"},
    "image_ranks": {"chance"},
    "distributed": {"errors"},
    "torchvision_import": set(),
    "ledger_index": {"table_parts", "tables", "storage", "errors"},
    "ledger": {"ledger_index", "table_parts", "tables", "storage", "errors"},
    "input_digest": {"storage", "errors"},
    "generator_records": {"storage", "errors"},
    "withdrawals": {"storage", "errors"},
    "patients": {"errors"},
    "ancestry": {"fingerprints", "generator_records", "storage", "errors"},
    "leakage": {
        "patients",
        "ancestry",
        "table_fingerprints",
        "generator_records",
        "table_parts",
        "storage",
        "errors",
        "withdrawals",
    },
    "cohorts": {"file_tree", "patients", "chance", "tables", "storage", "errors"},
    "slide_cache": {"locks", "storage", "errors"},
}


def imports(path: Path) -> set[str]:
    """Full names of the modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def files() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def forbidden(path: Path) -> set[str]:
    """The parts of the package that a file imports and may not."""
    place = path.relative_to(ROOT).parts
    used = {name.split(".")[1] for name in imports(path) if name.startswith("idhray.")}
    used -= {"__version__"}
    room = place[0].removesuffix(".py")
    if place[0] == "stages" or place in [("cli.py",), ("__main__.py",), ("__init__.py",)]:
        return set()
    if place[0] in FOLDERS:
        return used - {room, *MAY_USE.get(room, ()), *SHARED}
    return used - {room} - SHARED[room]


def test_a_module_imports_only_what_lies_below_it():
    """A cycle or an upward import ties the science to the stage that happens to use it."""
    wrong = {str(path.relative_to(ROOT)): forbidden(path) for path in files()}

    assert {path: used for path, used in wrong.items() if used} == {}


def test_only_stages_import_ray():
    """Training cores run on machines that have torch but no Ray."""
    guilty = [
        str(path.relative_to(ROOT))
        for path in files()
        if path.relative_to(ROOT).parts[0] != "stages"
        and any(name.split(".")[0] == "ray" for name in imports(path))
    ]

    assert guilty == []


def test_everything_but_stages_imports_with_ray_blocked():
    """A library could still pull Ray in; an interpreter that has no Ray tells."""
    names = [
        module.name
        for module in pkgutil.walk_packages([str(ROOT)], "idhray.")
        if not module.name.startswith("idhray.stages") and module.name != "idhray.__main__"
    ]
    code = (
        "import importlib, sys\nsys.modules['ray'] = None\n"
        f"for name in {names}: importlib.import_module(name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_every_stage_has_a_job_and_a_command():
    """`ray job submit` and `idhray` offer the same."""
    from idhray.cli import STAGES

    names = {name.replace("-", "_") for name in STAGES}
    jobs = {path.stem for path in (ROOT.parent / "jobs").glob("*.py")}

    assert jobs == names
    for name in names:
        assert hasattr(importlib.import_module(f"idhray.stages.{name}"), name)
