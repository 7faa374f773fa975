"""`idhray STAGE ...`: one command per stage, its flags made from the stage's flags dataclass.

Progress goes to stderr; the last line of stdout is one JSON object. What a stage returns as `text`
is printed above it, and `exit_code` becomes that of the command. Exit code 0: done, 2: bad
arguments, settings or manifest, 1: anything else.
"""

import importlib
import inspect
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import field, fields, is_dataclass, make_dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal, get_type_hints

import tyro
from docstring_parser import parse_from_object

from idhray import __version__
from idhray.errors import ConfigError, IdhrayError, ManifestError
from idhray.plain_output import use_plain_output
from idhray.surroundings import check_surroundings

STAGES = {
    "make-phantom": "a made-up cohort with a known truth",
    "make-manifest": "a manifest from slides and labels",
    "split-cohort": "the split by patient, written as a manifest",
    "tile-slides": "slides to tiles",
    "prepare-mri": "CE-T1w and FLAIR to paired slices",
    "cut-patches": "tiles to patches",
    "export-images": "images and coordinates in the formats of other tools",
    "import-images": "images of other tools to patches",
    "train-gan": "a generator on the training patients of each class",
    "evaluate-gan": "how good a GAN's images are, and whether they are copies",
    "synthesize": "synthetic images from a trained GAN",
    "train-classifier": "one classifier",
    "predict": "a classifier's predictions by patient",
    "sweep": "a classifier for each count of synthetic images",
    "readers": "blinded cases for readers, and their answers",
    "fit-stats": "the tables and the verdict, from predictions or readings",
    "plan": "what a cohort could show, before anything is run",
    "audit": "what cannot be right in a table of reported results",
    "report": "the HTML report of a study",
    "study": "all of it",
    "status": "what a folder or study is, and how to continue it",
    "forget": "the withdrawal of a patient",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command of the command line, and exit with its code."""
    sys.exit(run(list(sys.argv[1:] if argv is None else argv)))


def job(file: str) -> None:
    """Run the command that a script in `jobs/` is named after, with the script's flags."""
    main([Path(file).stem, *sys.argv[1:]])


def run(argv: list[str]) -> int:
    """Run one command; its exit code comes back."""
    use_plain_output()
    os.environ["MPLBACKEND"] = "Agg"  # that of a notebook needs its packages
    if not argv or argv[0] in ("-h", "--help"):
        print(_usage())
        return 0 if argv else 2
    if argv[0] == "--version":
        print(f"idhray {__version__}")
        return 0
    name = argv[0].replace("_", "-")
    if name not in STAGES:
        print(f"idhray: no command {argv[0]!r}\n\n{_usage()}", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        check_surroundings(argv)
        result = _call(name, argv[1:])
    except IdhrayError as error:
        print(f"idhray {name}: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError | ManifestError) else 1
    except KeyboardInterrupt:
        print(f"idhray {name}: interrupted; the same command continues", file=sys.stderr)
        return 130
    text = result.pop("text", None)
    code = int(result.pop("exit_code", 0))
    _print([text] if text else [], json.dumps(result))
    return code


def _print(tables: Sequence[str], line: str) -> None:
    """Print tables for people, then the line for scripts; a reader that has left loses them."""
    try:
        print("\n".join([*tables, line]), flush=True)
    except BrokenPipeError:  # as with `| head`; the work is done
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _call(name: str, argv: list[str]) -> dict[str, Any]:
    """Parse the flags of a stage and run it."""
    stage, presets = stage_of(name), presets_of(name)
    parsed = tyro.cli(
        flags_class(stage, presets, _chosen_preset(argv, presets)),
        args=argv,
        prog=f"idhray {name}",
        description=inspect.getdoc(stage),
        config=(tyro.conf.AvoidSubcommands,),
    )
    kind = _declared_flags(stage)
    flags = kind(**{field.name: getattr(parsed, field.name) for field in fields(kind)})
    result: dict[str, Any] = stage(flags)
    return result


def stage_of(name: str) -> Callable[[Any], dict[str, Any]]:
    """The function of a command; its one argument is a dataclass of flags."""
    stage: Callable[[Any], dict[str, Any]] = getattr(_module(name), name.replace("-", "_"))
    return stage


def presets_of(name: str) -> dict[str, Any]:
    """The presets of a command's settings by name; empty for a command without settings."""
    return dict(getattr(_module(name), "PRESETS", {}))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"idhray.stages.{name.replace('-', '_')}")


def _chosen_preset(argv: list[str], presets: dict[str, Any]) -> str | None:
    """The preset must be known first: it makes the defaults of the other flags."""
    if not presets:
        return None
    chosen = next(iter(presets))
    for i, word in enumerate(argv):
        if word == "--preset" and i + 1 < len(argv):
            chosen = argv[i + 1]
        elif word.startswith("--preset="):
            chosen = word.removeprefix("--preset=")
    if chosen not in presets:
        raise ConfigError(f"--preset {chosen}: unknown; choose from {', '.join(presets)}")
    return chosen


def _declared_flags(stage: Callable[[Any], dict[str, Any]]) -> type[Any]:
    """The dataclass of flags that a stage takes as its one argument."""
    hints = get_type_hints(stage)
    (argument,) = inspect.signature(stage).parameters
    kind: type[Any] = hints[argument]
    return kind


def flags_class(
    stage: Callable[[Any], dict[str, Any]], presets: dict[str, Any], chosen: str | None
) -> type[Any]:
    """The flags of a stage as tyro needs them: with `--preset` and the chosen preset's settings.

    The fields of `settings` become flags of their own: `--epochs`, not `--settings.epochs`.
    """
    kind = _declared_flags(stage)
    join_help(kind)
    hints = get_type_hints(kind)
    changed: list[tuple[str, Any, Any]] = []
    if "settings" in hints:
        # A preset may have a type of its own: another architecture, another kind of study.
        settings: Any = hints["settings"] if chosen is None else type(presets[chosen])
        join_help(settings)
        default = {} if chosen is None else {"default": presets[chosen]}
        changed.append(("settings", Annotated[settings, tyro.conf.arg(name="")], field(**default)))
    if chosen is not None:
        text = "Settings to start from. Other flags change single settings."
        choice: Any = Annotated[_one_of(presets), tyro.conf.arg(help=text)]
        changed.append(("preset", choice, field(default=chosen)))
    return make_dataclass(kind.__name__, changed, bases=(kind,), frozen=True, kw_only=True)


def join_help(kind: type[Any]) -> None:
    """Attach the docstring of each field of a dataclass as help text, its wrapped lines joined.

    tyro reads these docstrings itself, but keeps the line breaks of the source file.
    """
    hints = get_type_hints(kind, include_extras=True)
    texts = {p.arg_name: p.description or "" for p in parse_from_object(kind).params}
    for base in kind.__mro__[1:]:
        if is_dataclass(base):
            join_help(base)
    for name, hint in hints.items():
        plain = get_type_hints(kind).get(name)
        if isinstance(plain, type) and is_dataclass(plain):
            join_help(plain)
        if name in kind.__annotations__ and texts.get(name) and not hasattr(hint, "__metadata__"):
            joined = " ".join(texts[name].split())
            kind.__annotations__[name] = Annotated[hint, tyro.conf.arg(help=joined)]


def _usage() -> str:
    lines = [f"  {name:<17} {text}" for name, text in STAGES.items()]
    return "\n".join(["idhray STAGE --flags   (idhray STAGE --help shows them)", "", *lines])


def _one_of(names: dict[str, Any]) -> Any:
    """`Literal` of names that are known only now."""
    literal: Any = Literal
    return literal[tuple(names)]
