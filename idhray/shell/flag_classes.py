"""Flags of a command as tyro reads them: fields of the stage's dataclass and of its settings."""

import importlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import field, fields, is_dataclass, make_dataclass
from types import ModuleType
from typing import Annotated, Any, Literal, get_type_hints

import tyro
from docstring_parser import parse_from_object

from idhray.errors import ConfigError
from idhray.shell.help_pages import preset_in


def parsed_flags(name: str, argv: Sequence[str]) -> Any:
    """Flags of a command from its arguments; bad ones end the process with a message and code 2.

    Raises:
        ConfigError: The preset is unknown, or a value makes no sense.
    """
    stage, presets = stage_of(name), presets_of(name)
    parsed = tyro.cli(
        flags_class(stage, presets, _chosen_preset(argv, presets)),
        args=argv,
        prog=f"idhray {name}",
        description=inspect.getdoc(stage),
        config=(tyro.conf.AvoidSubcommands,),
    )
    kind = _declared_flags(stage)
    return kind(**{field.name: getattr(parsed, field.name) for field in fields(kind)})


def stage_of(name: str) -> Callable[[Any], dict[str, Any]]:
    """The function of a command; its one argument is a dataclass of flags."""
    stage: Callable[[Any], dict[str, Any]] = getattr(_module(name), name.replace("-", "_"))
    return stage


def presets_of(name: str) -> dict[str, Any]:
    """The presets of a command's settings by name; empty for a command without settings."""
    return dict(getattr(_module(name), "PRESETS", {}))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"idhray.stages.{name.replace('-', '_')}")


def _chosen_preset(argv: Sequence[str], presets: dict[str, Any]) -> str | None:
    """The preset must be known first: it makes the defaults of the other flags."""
    if not presets:
        return None
    chosen = preset_in(argv) or next(iter(presets))
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


def _one_of(names: dict[str, Any]) -> Any:
    """`Literal` of names that are known only now."""
    literal: Any = Literal
    return literal[tuple(names)]
