"""Machines on which the work of a command may run: those with the labels of `--node-labels`.

Ray places each task, training and trial by a label selector. The command itself, and the actors of
Ray that hold no CPU, run anywhere.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import ray

from idhray.errors import ConfigError

LABEL = r"[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?"
PREFIX = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?/"
NODE_LABEL = re.compile(
    rf"(?P<key>(?:{PREFIX})?{LABEL})=(?P<value>!?(?:{LABEL}|in\({LABEL}(?:, ?{LABEL})*\)))",
    re.ASCII,
)
"""Selector of one label, as Ray and Kubernetes write it."""
Selector = Mapping[str, str]

_selector: dict[str, str] = {}


def declare_node_labels(words: Sequence[str]) -> None:
    """Let a selector count for all work that this process starts; no words change nothing.

    Args:
        words: `KEY=VALUE`, `KEY=!VALUE`, `KEY=in(A,B)` or `KEY=!in(A,B)`.

    Raises:
        ConfigError: a word is none of these, or a key comes twice.
    """
    if not words:
        return
    matches = [NODE_LABEL.fullmatch(word) for word in words]
    for word, match in zip(words, matches, strict=True):
        if match is None:
            raise ConfigError(
                f"--node-labels {word}: give KEY=VALUE, KEY=!VALUE, KEY=in(A,B) or KEY=!in(A,B)"
            )
    selector = {match["key"]: match["value"] for match in matches if match}
    if len(selector) < len(words):
        raise ConfigError(f"--node-labels {' '.join(words)}: a key comes twice")
    select_nodes(selector)


def select_nodes(selector: Selector) -> None:
    """Let a selector count for all work that this process starts, in place of an earlier one.

    A worker calls it with the selector of its command before it starts tasks of its own.
    """
    _selector.clear()
    _selector.update(selector)


def node_labels() -> dict[str, str]:
    """Selector of the machines for the work of this process; empty for all machines."""
    return dict(_selector)


def placed() -> dict[str, Any]:
    """Keyword arguments by which `ray.remote` places a task."""
    return {"label_selector": node_labels()} if _selector else {}


def matches(labels: Mapping[str, str], selector: Selector) -> bool:
    """True if a machine with these labels fits the selector.

    A machine without the label fits `!VALUE` and `!in(...)`, as in Ray.
    """
    for key, condition in selector.items():
        word = condition.removeprefix("!")
        listed = word[len("in(") : -1] if word.startswith("in(") else word
        is_listed = labels.get(key) in [each.strip() for each in listed.split(",")]
        if is_listed == condition.startswith("!"):
            return False
    return True


def usable_nodes() -> list[dict[str, float]]:
    """Resources of each living machine that fits the selector."""
    return [
        node["Resources"]
        for node in ray.nodes()
        if node["Alive"] and matches(node.get("Labels") or {}, _selector)
    ]


def usable_resources() -> dict[str, float]:
    """Resources of all machines that fit the selector together."""
    if not _selector:
        return dict(ray.cluster_resources())
    total: dict[str, float] = {}
    for resources in usable_nodes():
        for name, amount in resources.items():
            total[name] = total.get(name, 0.0) + amount
    return total
