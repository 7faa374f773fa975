"""`idhray STAGE ...`: one command per stage, its flags made from the stage's flags dataclass.

Progress goes to stderr; the last line of stdout is one JSON object. What a stage returns as `text`
is printed above it, and `exit_code` becomes that of the command. Exit code 0: done, 2: bad
arguments, settings or manifest, 130 and 143: ended by Ctrl-C or SIGTERM, 1: anything else.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from idhray import __version__
from idhray.errors import ConfigError, IdhrayError, ManifestError
from idhray.log_lines import start_log
from idhray.plain_output import use_plain_output
from idhray.shell.completion import SCRIPTS, completions
from idhray.shell.help_pages import HELP_WORDS, help_page, preset_in, usage
from idhray.surroundings import check_surroundings, use_writable_caches

STAGES = {
    "make-phantom": "a made-up cohort with a known truth",
    "make-manifest": "a manifest from slides and labels",
    "split-cohort": "the split by patient, written as a manifest",
    "tile-slides": "slides to tiles",
    "prepare-mri": "CE-T1w and FLAIR to paired slices",
    "cut-patches": "tiles to patches",
    "export-images": "images and coordinates in the formats of other tools",
    "export-onnx": "a trained classifier or generator as an ONNX file",
    "import-images": "images of other tools to patches",
    "encode": "images to features of a frozen encoder",
    "import-synthetic": "images of any generator, whose training patients are declared",
    "train-gan": "a generator on the training patients of each class",
    "evaluate-gan": "how good a GAN's images are, and whether they are copies",
    "synthesize": "synthetic images from a trained GAN",
    "train-classifier": "one classifier",
    "predict": "a classifier's predictions by patient",
    "tune": "settings of a classifier, found on inner validation patients",
    "sweep": "a classifier for each count of synthetic images",
    "readers": "blinded cases for readers, and their answers",
    "fit-stats": "the tables and the verdict, from predictions or readings",
    "plan": "what a cohort could show, before anything is run",
    "audit": "what cannot be right in a table of reported results",
    "report": "the HTML report of a study",
    "checklist": "reporting guidelines, filled from a study",
    "study": "all of it",
    "doctor": "whether this machine or cluster is ready",
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
    # A thread that outlives the end of Ray would join any cluster that it finds.
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
    if not argv or argv[0].startswith("-"):
        return _answer(argv)
    name = argv[0].replace("_", "-")
    if name not in STAGES:
        close = get_close_matches(name, STAGES, n=3)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        print(f"idhray: no command {argv[0]!r}{hint}\n\n{usage(STAGES)}", file=sys.stderr)
        return 2
    if helping := [word for word in argv[1:] if word in HELP_WORDS]:
        page = help_page(name, preset_in(argv), all_flags="--help-all" in helping)
        _print([page])
        return 0
    return _run_stage(name, argv[1:])


def _answer(argv: Sequence[str]) -> int:
    """Answer a question to idhray itself, such as --version."""
    match list(argv):
        case ["--version"]:
            _print([f"idhray {__version__}"])
        case ["--completion", shell] if shell in SCRIPTS:
            _print([SCRIPTS[shell]])
        case ["--complete", *words]:
            _print(completions(STAGES, words))
        case _:
            _print([usage(STAGES)])
            return 0 if argv and argv[0] in HELP_WORDS else 2
    return 0


def _run_stage(name: str, argv: list[str]) -> int:
    """Parse the flags of a stage, run it, and print its result."""
    try:
        start_log(name)
        check_surroundings(argv)
        use_writable_caches()
        # Imported here, because help and completion must not wait for torch.
        from idhray.shell.flag_classes import parsed_flags, stage_of  # noqa: PLC0415

        flags, stage = parsed_flags(name, argv), stage_of(name)
        try:
            result = stage(flags)
        except SystemExit:  # raised on SIGTERM, see `session.connect`
            return _interrupted(name, signal.SIGTERM)
    except IdhrayError as error:
        print(f"idhray {name}: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError | ManifestError) else 1
    except KeyboardInterrupt:
        return _interrupted(name, signal.SIGINT)
    text = result.pop("text", None)
    code = int(result.pop("exit_code", 0))
    _print([*([text] if text else []), json.dumps(result)])
    return code


def _interrupted(name: str, number: signal.Signals) -> int:
    """Tell that a signal ended a stage; the exit code that shells give."""
    print(f"idhray {name}: ended by {number.name}; the same command continues", file=sys.stderr)
    return 128 + number


def _print(lines: Sequence[str]) -> None:
    """Print lines; a reader that has left loses them."""
    try:
        print("\n".join(lines), flush=True)
    except BrokenPipeError:  # as with `| head`; the work is done
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
