"""Help of a command: a page with the flags that people set, and a page with all of them."""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

from idhray.shell.catalog import CommandEntry, FlagEntry, catalog

SHORT_COUNT = 10
"""Flags on the short page, beside those that are required."""
_OFTEN_SET = """
--manifest --images --tiles --checkpoint --predictions --readings --table --study --source --slides
--scans --labels --normals --idh --count --synthetic --folds --fold --patients --auc --dry-run
--until --update --format --synthetic --counts --repeats --total-kimg --epochs --sample-sheet
--columns --idh-values --fold-count --by --extend --cache --normalize --primary --seed --workers
--address --gpus --gpus-per-worker --max-failures --overwrite --select --tissue
"""
OFTEN_SET = tuple(_OFTEN_SET.split())
"""Flags that people set, the most frequent first; the short page shows the first that exist."""
HELP_WORDS = ("-h", "--help", "--help-all")
WIDTH = 92
USAGE_WIDTH = 17


def usage(stages: dict[str, str]) -> str:
    """List of all commands."""
    lines = [f"  {name:<{USAGE_WIDTH}} {text}" for name, text in stages.items()]
    return "\n".join(
        [
            "idhray STAGE --flags   (STAGE --help shows the flags that people set, --help-all all)",
            "",
            *lines,
            "",
            "idhray --version",
            "idhray --completion bash|zsh|fish   (text for the start file of the shell)",
        ]
    )


def preset_in(argv: Sequence[str]) -> str | None:
    """Value of --preset among arguments; None without one."""
    chosen = None
    for number, word in enumerate(argv):
        if word == "--preset" and number + 1 < len(argv):
            chosen = argv[number + 1]
        elif word.startswith("--preset="):
            chosen = word.removeprefix("--preset=")
    return chosen


def help_page(command: str, preset: str | None = None, *, all_flags: bool = False) -> str:
    """Help of a command.

    Args:
        command: Name as in the catalog.
        preset: Preset whose defaults are shown; None for the default one.
        all_flags: Show every flag, by the dataclass that declares it.
    """
    entry = catalog()[command]
    flags = entry.flags(preset)
    lines = [_usage_line(entry, flags), "", *_wrapped(entry.about), ""]
    if all_flags:
        lines += list(_grouped(flags))
    else:
        shown = _short(flags)
        for flag in shown:
            lines += _flag_lines(flag)
        if more := len(flags) - len(shown):
            lines += ["", f"{more} more flags: idhray {command} --help-all"]
    return "\n".join(lines)


def _usage_line(entry: CommandEntry, flags: Sequence[FlagEntry]) -> str:
    required = [
        f"{flag.kind or flag.name}" if flag.is_positional else f"{flag.name} {flag.kind}"
        for flag in flags
        if flag.default is None
    ]
    return textwrap.fill(
        " ".join([f"usage: idhray {entry.name}", *required, "[flags]"]),
        WIDTH,
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _short(flags: Sequence[FlagEntry]) -> list[FlagEntry]:
    """Required flags, the preset, and the first flags of `OFTEN_SET`, as declared."""
    if len(flags) <= SHORT_COUNT + 2:
        return list(flags)
    needed = {flag.name for flag in flags if flag.default is None}
    names = {flag.name for flag in flags}
    often = [name for name in ("--preset", *dict.fromkeys(OFTEN_SET)) if name in names - needed]
    shown = needed | set(often[: max(SHORT_COUNT - len(needed), 3)])
    return [flag for flag in flags if flag.name in shown]


def _grouped(flags: Sequence[FlagEntry]) -> Iterator[str]:
    """Lines of all flags under the names of their dataclasses."""
    for owner, group in groupby(flags, key=lambda flag: flag.owner):
        yield f"{owner.rpartition('.')[2] or owner}:"
        for flag in group:
            yield from _flag_lines(flag)
        yield ""


def _flag_lines(flag: FlagEntry) -> list[str]:
    state = "(required)" if flag.default is None else f"(default: {flag.default or 'none'})"
    head = "  " + " ".join(filter(None, [", ".join(flag.names), flag.kind]))
    words = " ".join(filter(None, [flag.text, state]))
    return [head, *_wrapped(words, indent=" " * 8)]


def _wrapped(text: str, indent: str = "") -> list[str]:
    """Paragraphs filled to the width of a page."""
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        joined = " ".join(paragraph.split())
        filled = textwrap.wrap(joined, WIDTH, initial_indent=indent, subsequent_indent=indent)
        lines += [*filled, ""]
    return lines[:-1]
