"""`idhray STAGE ...`: one command per stage, its flags made from the stage's signature.

Progress goes to stderr; the last line of stdout is one JSON object. What a stage returns as `text`
is printed above it. Exit code 0: done, 2: bad arguments, settings or manifest, 1: anything else.
"""

import functools
import importlib
import inspect
import json
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, get_type_hints

import tyro

from idhray import __version__
from idhray.errors import ConfigError, IdhrayError, ManifestError

STAGES = {
    "make-phantom": "a made-up cohort with a known truth",
    "make-manifest": "a manifest from slides and labels",
    "split-cohort": "the split by patient, written as a manifest",
    "tile-slides": "slides to tiles",
    "prepare-mri": "CE-T1w and FLAIR to paired slices",
    "cut-patches": "tiles to patches",
    "export-images": "images and coordinates in the formats of other tools",
    "import-images": "images of other tools to patches",
    "train-gan": "a PGGAN or StyleGAN2 on the training patients of each class",
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
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command of the command line, and exit with its code."""
    sys.exit(run(list(sys.argv[1:] if argv is None else argv)))


def run(argv: list[str]) -> int:
    """Run one command; its exit code comes back."""
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
        result = _call(name, argv[1:])
    except IdhrayError as error:
        print(f"idhray {name}: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError | ManifestError) else 1
    except KeyboardInterrupt:
        print(f"idhray {name}: interrupted; the same command continues", file=sys.stderr)
        return 130
    if text := result.pop("text", None):  # tables for people, before the line for scripts
        print(text)
    print(json.dumps(result), flush=True)
    return 0


def _call(name: str, argv: list[str]) -> dict[str, Any]:
    """Parse the flags of a stage and run it."""
    module = importlib.import_module(f"idhray.stages.{name.replace('-', '_')}")
    stage = getattr(module, name.replace("-", "_"))
    presets: dict[str, Any] = getattr(module, "PRESETS", {})
    command = _command(stage, presets, _chosen_preset(argv, presets))
    result: dict[str, Any] = tyro.cli(
        command,
        args=argv,
        prog=f"idhray {name}",
        config=(tyro.conf.AvoidSubcommands,),
    )
    return result


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
        raise ConfigError(f"--preset {chosen}: there is {', '.join(presets)}")
    return chosen


def _command(
    stage: Callable[..., dict[str, Any]], presets: dict[str, Any], chosen: str | None
) -> Callable[..., dict[str, Any]]:
    """The stage with `--preset`, whose settings become the defaults of `settings`.

    tyro reads a function's signature, annotations and docstring; this gives it those it needs.
    """
    hints = get_type_hints(stage, include_extras=True)
    if "settings" in hints:  # --epochs rather than --settings.epochs
        # A preset may be of a type of its own: another architecture, another kind of study.
        kind: Any = hints["settings"] if chosen is None else type(presets[chosen])
        hints["settings"] = Annotated[kind, tyro.conf.arg(name="")]
    parameters = [
        p.replace(annotation=hints[p.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for p in inspect.signature(stage).parameters.values()
    ]

    @functools.wraps(stage)
    def command(**values: Any) -> dict[str, Any]:
        values.pop("preset", None)
        return stage(**values)

    if chosen is not None:
        parameters = [
            p.replace(default=presets[chosen]) if p.name == "settings" else p for p in parameters
        ]
        choice: Any = Annotated[
            _one_of(presets),
            tyro.conf.arg(help="Settings to start from; other flags change them one by one."),
        ]
        parameters.append(
            inspect.Parameter(
                "preset", inspect.Parameter.KEYWORD_ONLY, default=chosen, annotation=choice
            )
        )
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        parameters, return_annotation=dict[str, Any]
    )
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    del command.__wrapped__
    return command


def _usage() -> str:
    lines = [f"  {name:<17} {text}" for name, text in STAGES.items()]
    return "\n".join(["idhray STAGE --flags   (idhray STAGE --help shows them)", "", *lines])


def _one_of(names: dict[str, Any]) -> Any:
    """`Literal` of names that are known only now."""
    literal: Any = Literal
    return literal[tuple(names)]
