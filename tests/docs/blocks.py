"""Code blocks of README and of the documentation."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "cluster" / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?<=\n\n)(?: {4}.*\n|\n(?= {4}))+")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One block of code of a page."""

    page: str
    language: str
    text: str


def blocks() -> list[Block]:
    """Fenced blocks, and indented ones, of all pages."""
    listed = []
    for path in PAGES:
        page, text = str(path.relative_to(ROOT)), path.read_text()
        for language, code in FENCE.findall(text):
            listed.append(Block(page=page, language=language, text=code))
        for code in INDENTED.findall(FENCE.sub("", text)):
            plain = re.sub(r"^ {4}", "", code, flags=re.MULTILINE).strip("\n")
            if plain.strip() and not re.search(r"^\s*[-*] ", plain):
                listed.append(Block(page=page, language="", text=plain + "\n"))
    return listed


def commands(program: str) -> list[tuple[str, list[str]]]:
    """(page, arguments) of every call of a program in a block."""
    calls = []
    for block in blocks():
        for line in block.text.replace("\\\n", " ").splitlines():
            words = [] if "->" in line else shlex.split(line, comments=True)
            if program in words[:1]:
                calls.append((block.page, words[1:]))
    return calls
