"""IDH status of a cell, from the spellings of clinics, archives and papers."""

import re
from collections.abc import Mapping

from idhray.cohorts.values.cell_value import EMPTY, CellValue, is_unknown, plain, refused

MEANINGS = ("mutant", "wildtype", "unknown")
_YES = frozenset({"1", "yes", "y", "true", "t", "positive", "pos", "+", "present", "detected"})
_NO = frozenset({"0", "no", "n", "false", "f", "negative", "neg", "absent", "not detected"})
_MUTANT, _WILDTYPE = "mutant", "wildtype"
# Words that may stand beside the status and do not change it. Every other word is a doubt.
_WORDS = """
idh idh1 idh2 1 2 p c status nos nec maf ihc ngs sequencing sequenced sanger pcr by and type adult
diffuse anaplastic multiforme glioma gliomas astrocytoma glioblastoma oligodendroglioma
oligoastrocytoma gbm aa lgg hgg who cns cns5 grade g iii iv ii i 3 4 codel codeleted 1p 19q 1p19q
codeletion 2007 2016 2021 gene mutation tumor tumour recurrent primary secondary low high
"""
_SILENT_WORDS = frozenset(_WORDS.split())
_AMINO = {
    "ala": "a", "arg": "r", "asn": "n", "asp": "d", "cys": "c", "gln": "q", "glu": "e",
    "gly": "g", "his": "h", "ile": "i", "leu": "l", "lys": "k", "met": "m", "phe": "f",
    "pro": "p", "ser": "s", "thr": "t", "trp": "w", "tyr": "y", "val": "v",
}  # fmt: skip
_VARIANT = re.compile(r"r(100|132|140|172)([acdefghiklmnpqrstvwy=]?)")
_GENES = ("idh1", "idh2")
_GENE_OF = {"100": "idh1", "132": "idh1", "140": "idh2", "172": "idh2"}
# Coding changes of codon 132 of IDH1 (394-396) and 172 of IDH2 (514-516).
_STATUS = r"mut(?:ant|ated|ation)?\b|wild[\s-]*type|wt\b|unknown"
_CODING = re.compile(r"c\.?\s*(39[45]|51[45])\s*[acgt]\s*>\s*[acgt]")
_REWRITES: tuple[tuple[str, str], ...] = (
    (r"wild[\s-]*types?|\bw\.t\.|\bwt\b|\bwild\b(?!\s*-?type)", " wildtype "),
    (r"idh\s*1\s*/\s*(?:idh\s*)?2", "idh"),
    (r"idh[\s-]*([12])", r"idh\1"),
    (r"(idh[12]?)(?=mut|wildtype|wt|r\d)", r"\1 "),
    (r"(idh[12]?)\s*wt\b", r"\1 wildtype"),
    (r"\bmut(?:ant|ated|ation|ations|\.)?\b", " mutant "),
    (r"1p\s*/\s*19q", "1p19q"),
    (r"1p19q[\s-]*(?:status)?[\s:-]*(?:intact|retained|not codeleted|non-deleted)", "1p19q"),
    (
        r"cdkn2a(?:\s*/\s*(?:cdkn2)?b)?[\s-]*(?:homozygous(?:ly)?[\s-]*)?(?:deleted|deletion|intact)",
        " ",
    ),
    (r"non[\s-]*co-?del(?:eted|etion)?\b|co-?del(?:eted|etion)?\b", "codel"),
)
ADVICE = "write mutant, wildtype, or leave it empty"
MAP_ADVICE = "say what it means with --idh-values CELL=mutant of `idhray make-manifest`"


def idh_value(
    text: str, meanings: Mapping[str, str] | None = None, yes_means: str = ""
) -> CellValue:
    """IDH status of a cell: `mutant` or `wildtype`.

    A cell is read only if each of its words is understood: negations, doubts ("likely"), two
    statuses and silent variants are refused.

    Args:
        text: The cell.
        meanings: Meaning of single cells, chosen by the user: text -> `mutant`, `wildtype` or
            `unknown`.
        yes_means: `mutant` or `wildtype` if the header says what 1 or "yes" means, see
            `yes_meaning`; else "".

    Source: WHO CNS5 (2021) names of tumor types; HGVS nomenclature for variants of IDH1 and IDH2.
    """
    chosen = {value_key(cell): meaning for cell, meaning in (meanings or {}).items()}
    key = value_key(text)
    if key in chosen:
        return CellValue(text="" if chosen[key] == "unknown" else chosen[key])
    if is_unknown(text):
        return EMPTY
    if key in _YES | _NO:
        if not yes_means:
            return refused(f"{ADVICE}, or {MAP_ADVICE}")
        other = _WILDTYPE if yes_means == _MUTANT else _MUTANT
        return CellValue(text=yes_means if key in _YES else other)
    return _status(text)


def yes_meaning(header: str) -> str:
    """Status of which a column says yes or no, such as `IDH_mutated`; "" if the header is open.

    A column of one variant alone (`IDH1 R132H`) is open: without this variant there may be another.
    """
    words = plain(re.sub(r"([a-z])([A-Z])", r"\1 \2", header))
    if re.search(r"r\s*1[37]2|arg|ihc|immuno", words):
        return ""
    is_mutant, is_wildtype = "mut" in words, bool(re.search(r"wild|wt\b", words))
    if is_mutant == is_wildtype:
        return ""
    return _MUTANT if is_mutant else _WILDTYPE


def header_meanings(header: str) -> dict[str, str]:
    """Meanings of codes that a header explains, such as `IDH (1=mutant, 0 = WT)`."""
    words = plain(header)
    pairs = [(m[1], m[2]) for m in re.finditer(rf"([\w+-]+)\s*[=:]\s*({_STATUS})", words)]
    pairs += [(m[2], m[1]) for m in re.finditer(rf"({_STATUS})\s*[=:]\s*([\w+-]+)", words)]
    statuses = {"m": _MUTANT, "w": _WILDTYPE, "u": "unknown"}
    return {code: statuses[status[0]] for code, status in pairs if not re.match(_STATUS, code)}


def value_key(text: str) -> str:
    """Cell for comparison with a choice of the user: 1, 1.0 and " 1 " are one value."""
    key = plain(text)
    return re.sub(r"^([-+]?\d+)[.,]0+$", r"\1", key)


def _status(text: str) -> CellValue:
    word = _rewritten(text)
    if re.search(r"[?<>=≤≥~*%]", word.replace("p.=", "")) and not _is_silent(word):
        return refused(ADVICE)
    genes = [part for part in re.split(r"(?=\bidh[12]\b)", word) if part.strip()]
    states = [_state_of(part) for part in genes]
    if problem := next((state.problem for state in states if state.problem), ""):
        return refused(problem)
    values = {state.text for state in states if state.text}
    named_twice = len([part for part in genes if part.startswith("idh")]) > 1
    if len(values) == 2 and not (named_twice and all(state.text for state in states)):
        return refused(f"it names two statuses; {ADVICE}")
    if not values:
        unspecified = bool(re.search(r"\b(nos|nec)\b", word))
        return EMPTY if unspecified else refused(ADVICE)
    return CellValue(text=_MUTANT if _MUTANT in values else _WILDTYPE)


def _rewritten(text: str) -> str:
    """Text with one spelling for statuses, genes and variants."""
    word = _CODING.sub(lambda m: " r132 " if m[1].startswith("39") else " r172 ", plain(text))
    for pattern, replacement in _REWRITES:
        word = re.sub(pattern, replacement, word)
    three = "|".join(_AMINO)
    return re.sub(
        rf"\b(?:p\.?\s*)?\(?(?:arg|r)\s*(100|132|140|172)\s*({three}|[a-z=*])?\)?(?![a-z0-9])",
        lambda m: f" r{m[1]}{_AMINO.get(m[2] or '', m[2] or '')} ",
        word,
    )


def _is_silent(word: str) -> bool:
    return bool(re.search(r"r(?:100|132|140|172)=", word))


def _state_of(word: str) -> CellValue:
    """Status that one gene's part of a text names; empty if it names none."""
    tokens = re.findall(r"[a-z0-9=]+|[^\sa-z0-9=,.;:()\[\]/+&-]", word)
    variants = [match for token in tokens if (match := _VARIANT.fullmatch(token))]
    rest = {token for token in tokens if not _VARIANT.fullmatch(token)}
    doubts = rest - _SILENT_WORDS - {_MUTANT, _WILDTYPE}
    is_affirmed = doubts <= {"positive", "detected", "present"}
    if doubts and not (is_affirmed and (variants or _MUTANT in rest)):
        return refused(ADVICE)
    if _WILDTYPE in rest and (variants or _MUTANT in rest):
        return refused(f"it names two statuses; {ADVICE}")
    if problem := _variant_problem(variants, next((t for t in tokens if t in _GENES), "")):
        return refused(f"{problem}; {ADVICE}")
    if variants or _MUTANT in rest:
        return CellValue(text=_MUTANT)
    return CellValue(text=_WILDTYPE if _WILDTYPE in rest else "")


def _variant_problem(variants: list[re.Match[str]], gene: str) -> str:
    """Reason why variants are no mutation of a gene; "" if they are."""
    for match in variants:
        if match[2] in ("r", "="):
            return f"{match[0].upper()} is a silent variant and no status"
        if gene and gene != _GENE_OF[match[1]]:
            return f"{match[0].upper()} is no variant of {gene.upper()}"
    return ""
