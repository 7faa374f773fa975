"""Names say what they hold, one name means one thing, and docstrings are whole statements."""

import ast
import itertools
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import idhray

ROOT = Path(idhray.__file__).parent
EMPTY_NAMES = {
    *("found", "said", "own", "one", "known", "kept", "there", "how", "why", "beside", "given"),
    *("wanted", "seen", "made"),
}
NO_SUBJECT = ("Of ", "As of ", "What ", "How ", "Where ", "Whether ", "Which ")
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT), ast.parse(path.read_text())


def bound_name(node: ast.AST) -> str | None:
    """The name that a node binds: a variable, parameter, attribute, function, class or error."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            return name
        case ast.arg(arg=name) | ast.alias(asname=str(name)):
            return name
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.ExceptHandler(name=name):
            return name
    return None


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of the docstrings of modules, classes, functions, fields and constants."""
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and (text := ast.get_docstring(node)):
            yield node.body[0].lineno, text
        body = getattr(node, "body", [])
        for before, after in itertools.pairwise(body) if isinstance(body, list) else ():
            match before, after:
                case ast.Assign() | ast.AnnAssign(), ast.Expr(ast.Constant(str(text))):
                    yield after.lineno, text


def argument_texts(text: str) -> Iterator[str]:
    """What a docstring says of each argument, return value and error."""
    for line in text.splitlines():
        if entry := re.match(r"\s{4}[\w, ]+: (.+)", line):
            yield entry.group(1)


def test_no_binding_has_a_name_that_fits_anything():
    """`found` stood for 96 kinds of value; a line must be readable without its function."""
    empty = [
        f"{path}:{node.lineno} {name}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if (name := bound_name(node)) and name.strip("_") in EMPTY_NAMES
    ]

    assert empty == []


def test_no_docstring_starts_with_a_clause_that_has_no_subject():
    """Users read these lines as --help: "Of the split" says nothing there."""
    clauses = [
        f"{path}:{line} {sentence[:60]}"
        for path, tree in trees()
        for line, text in docstrings(tree)
        for sentence in (text, *argument_texts(text))
        if sentence.startswith(NO_SUBJECT)
    ]

    assert clauses == []


def test_a_type_has_its_name_alone_in_the_package():
    """`Plan` was a study's and a slide's; a reader, or a search, must find one."""
    places = defaultdict(list)
    for path, tree in trees():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path))
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                if re.fullmatch(r"[A-Z][a-z]+\w*", name):
                    places[name].append(str(path))

    assert {name: where for name, where in places.items() if len(where) > 1} == {}
