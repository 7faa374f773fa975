"""Completion of commands and flags by the shell, from the catalog."""

from collections.abc import Iterable, Sequence

from idhray.shell.catalog import catalog
from idhray.shell.help_pages import preset_in

_BASH = """\
_idhray() {
    local IFS=$'\\n'
    COMPREPLY=( $(idhray --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) )
}
complete -o default -F _idhray idhray"""
SCRIPTS = {
    "bash": _BASH,
    "zsh": f"autoload -Uz bashcompinit && bashcompinit\n{_BASH}",
    "fish": (
        "complete -c idhray -a '(idhray --complete (commandline -opc)[2..] (commandline -ct))'"
    ),
}
"""Shell -> text for its start file."""


def completions(stages: Iterable[str], words: Sequence[str]) -> list[str]:
    """Continuations of the last of the words after `idhray`; none where a file name belongs.

    Args:
        stages: Names of the commands.
        words: Words of the command line so far; the last one may be empty.
    """
    *before, last = words or [""]
    if not before:
        return [name for name in stages if name.startswith(last)]
    command = catalog().get(before[0].replace("_", "-"))
    if command is None:
        return []
    flags = command.flags(preset_in(before))
    current = next((flag for flag in flags if before[-1] in flag.names), None)
    if current is not None and current.kind.startswith("{"):
        choices = current.kind.strip("{}").split(",")
        return [choice for choice in choices if choice.startswith(last)]
    if not last.startswith("-"):
        positional = next((flag for flag in flags if flag.is_positional), None)
        listed = positional.kind.strip("{}").split(",") if positional and not before[1:] else []
        return [choice for choice in listed if choice.startswith(last) and last != choice]
    names = [name for flag in flags for name in flag.names if name.startswith("--")]
    return [name for name in [*names, "--help", "--help-all"] if name.startswith(last)]
