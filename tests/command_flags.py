"""The flags of all commands, recorded in files: `python -m tests.command_flags` writes them.

`command_flags.json` is short, for the review of a change. `idhray/shell/catalog.json` feeds help
and completion. The pages of `docs/reference` follow from it.
"""

import dataclasses
import inspect
import json
import re
import typing
import warnings
from pathlib import Path

import tyro

import idhray
from idhray.cli import STAGES
from idhray.shell.flag_classes import flags_class, presets_of, stage_of
from tests.reference_pages import write_pages

FILE = Path(__file__).with_suffix(".json")
CATALOG = Path(idhray.__file__).parent / "shell" / "catalog.json"


def flag_class(name, preset):
    """The dataclass of a command's flags under a preset."""
    return flags_class(stage_of(name), presets_of(name), preset)


def actions_of(kind):
    """Arguments of the parser that reads the flags."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of get_parser
        parser = tyro.extras.get_parser(kind, config=(tyro.conf.AvoidSubcommands,))
    for action in parser._actions:
        text = re.sub(r"\x1b\[[0-9;]*m", "", str(action.help))
        if shown := re.search(r"\((required|default:.*)\)\s*$", text, re.DOTALL):
            yield action, text[: shown.start()].strip(), shown.group(1)


def flags_in_help(name: str, preset: str | None) -> dict[str, str]:
    """Flag with its type -> `required` or its default, read from the parser that shows the help."""
    return {
        f"{', '.join(action.option_strings)} {action.metavar}": state
        for action, _, state in actions_of(flag_class(name, preset))
    }


def all_flags() -> dict[str, dict[str, dict[str, str]]]:
    """Command -> preset -> flags. The default preset lists all flags, the others what differs."""
    commands = {}
    for name in STAGES:
        presets = [*presets_of(name)] or [""]
        default = flags_in_help(name, presets[0] or None)
        records = {presets[0]: default}
        for preset in presets[1:]:
            flags = flags_in_help(name, preset)
            same_flags = set(flags) == set(default)
            records[preset] = {
                flag: value
                for flag, value in flags.items()
                if not same_flags or value != default[flag]
            }
        commands[name] = records
    return commands


def catalog_entries(name, preset):
    """Flags of a command as `idhray.shell.catalog` reads them."""
    kind = flag_class(name, preset)
    entries = []
    for action, text, state in actions_of(kind):
        default = None if state == "required" else state.removeprefix("default:").strip()
        names = list(action.option_strings) or [action.dest]
        is_switch = action.nargs == 0 or len(names) > 1
        entries.append(
            {
                "names": names,
                "value": "" if is_switch else str(action.metavar or ""),
                "default": default,
                "text": " ".join(text.split()),
                "declared": declared(kind, action.dest),
            }
        )
    return sorted(entries, key=lambda entry: entry["declared"] == "")


def declared(kind, dest):
    """Module, dataclass and field of an argument, such as `settings.gan.total-kimg`."""
    *path, last = dest.replace("-", "_").split(".")
    for name in path:
        kind = type_of_field(kind, name)
    if last == "preset":
        return ""
    owner = next(
        base
        for base in reversed(kind.__mro__)
        if last in inspect.get_annotations(base) and base.__module__ != "types"
    )
    return f"{owner.__module__}.{owner.__name__}.{last}"


def type_of_field(kind, name):
    """Dataclass of a nested field, which may be annotated or optional."""
    hint = typing.get_type_hints(kind)[name]
    choices = [hint, *typing.get_args(hint)]
    return next(choice for choice in choices if dataclasses.is_dataclass(choice))


def all_entries():
    """Command -> description and flags, as in `catalog.json`."""
    commands = {}
    for name in STAGES:
        presets = [*presets_of(name)] or [""]
        default = catalog_entries(name, presets[0] or None)
        records, other_kinds = {presets[0]: default}, {}
        names = [entry["names"] for entry in default]
        for preset in presets[1:]:
            entries = catalog_entries(name, preset)
            other_kinds[preset] = [entry["names"] for entry in entries] != names
            records[preset] = [
                entry for entry in entries if other_kinds[preset] or entry not in default
            ]
        about = inspect.getdoc(stage_of(name)) or ""
        commands[name] = {"about": about, "other_kinds": other_kinds, "presets": records}
    return commands


def write_files() -> None:
    """Write the record, the catalog and the pages of the reference."""
    FILE.write_text(json.dumps(all_flags(), indent=1) + "\n")
    CATALOG.write_text(json.dumps(all_entries(), indent=1, ensure_ascii=False) + "\n")
    write_pages()


if __name__ == "__main__":
    write_files()
