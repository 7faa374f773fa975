"""Code that workers run returns notes; a log line of a worker reaches nobody."""

import ast
import functools
from pathlib import Path

import idhray

ROOT = Path(idhray.__file__).parent
MAPPERS = {"map_items": 1, "fit": 0, "run_from_snapshots": 0, "run_workers": 0, "remote": 0}
"""Function that hands work to Ray -> place of the work function among its arguments."""
EXEMPT = {
    "fidelity/copies/near_duplicates.py": "the driver makes the same checks before Ray starts",
    "patience.py": "the driver waits for the same store, and tells so",
    "leakage.py": "the driver makes the same checks before Ray starts",
    "stages/experiment/checks.py": "the driver reads the same folds before Ray starts",
    "table_fingerprints.py": "the driver makes fingerprints before Ray starts",
    "cohorts/text_table.py": "workers read folds only, which are Parquet",
    "cohorts/table_files": "workers read folds only, which are Parquet",
}
"""File or folder whose log lines reach the user all the same -> reason."""

Place = tuple[str, str]  # file relative to the package, name of a function or class


@functools.cache
def trees() -> dict[str, ast.Module]:
    """Syntax tree of each file of the package."""
    return {str(p.relative_to(ROOT)): ast.parse(p.read_text()) for p in ROOT.rglob("*.py")}


def file_of(module: str) -> str | None:
    """File of a module of the package."""
    name = module.removeprefix("idhray.").replace(".", "/") + ".py"
    return name if name in trees() else None


@functools.cache
def definitions(file: str) -> dict[str, Place]:
    """Functions and classes that a file defines or imports, by the name it uses for them."""
    places: dict[str, Place] = {}
    for node in ast.walk(trees()[file]):
        if isinstance(node, ast.ImportFrom) and node.module and file_of(node.module):
            for alias in node.names:
                places[alias.asname or alias.name] = (str(file_of(node.module)), alias.name)
    for node in trees()[file].body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            places[node.name] = (file, node.name)
    return places


@functools.cache
def body(place: Place) -> ast.AST | None:
    """Definition of a function or class."""
    for node in trees()[place[0]].body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == place[1]:
            return node
    return None


@functools.cache
def modules_of(file: str) -> dict[str, str]:
    """Modules of the package that a file imports as a whole, by the name it uses for them."""
    modules = {}
    for node in ast.walk(trees()[file]):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("idhray"):
            for alias in node.names:
                if target := file_of(f"{node.module}.{alias.name}"):
                    modules[alias.asname or alias.name] = target
    return modules


def used(place: Place) -> set[Place]:
    """Functions and classes of the package that a definition refers to."""
    node, places, modules = body(place), definitions(place[0]), modules_of(place[0])
    if node is None:
        return set()
    names = {places[n.id] for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in places}
    return names | {
        (modules[n.value.id], n.attr)
        for n in ast.walk(node)
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id in modules
    }


def work_functions() -> set[Place]:
    """Functions that stages hand to Ray."""
    roots = set()
    for file in trees():
        if not file.startswith("stages"):
            continue
        places = definitions(file)
        for node in ast.walk(trees()[file]):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", None) or getattr(node.func, "attr", "")
            arguments = node.args
            if isinstance(node.func, ast.Call):  # ray.remote(num_cpus=1)(work)
                name = getattr(node.func.func, "attr", "")
            place = MAPPERS.get(name)
            if place is not None and len(arguments) > place:
                argument = arguments[place]
                roots |= {places[n.id] for n in ast.walk(argument) if getattr(n, "id", 0) in places}
    return roots


def reached(roots: set[Place]) -> dict[Place, Place]:
    """Everything that these functions refer to, directly or not, and the place that refers."""
    origins = dict.fromkeys(roots, ("", ""))
    waiting = [*roots]
    while waiting:
        place = waiting.pop()
        for other in used(place) - origins.keys():
            origins[other] = place
            waiting.append(other)
    return origins


def logs(place: Place) -> bool:
    node = body(place)
    return node is not None and any(getattr(n, "id", "") == "logger" for n in ast.walk(node))


def test_no_code_that_workers_run_logs():
    """Ray keeps the lines of workers in files of its own; a contradiction in a slide was lost."""
    roots = work_functions()
    assert ("stages/cut_patches.py", "cut_one") in roots
    assert ("stages/slide_tiling/one_slide.py", "tile_one") in roots
    origins = reached(roots)

    guilty = {
        place: origins[place]
        for place in origins
        if logs(place) and not place[0].startswith((*EXEMPT,))
    }
    assert guilty == {}
