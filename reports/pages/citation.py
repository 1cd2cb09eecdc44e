"""CITATION.cff as a sentence and as BibTeX."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ruamel.yaml import YAML

FILE = "CITATION.cff"
"""Beside this module as a link to the file at the top, so that an installed copy has it too."""

BIBTEX_KINDS = {"article": "article", "conference-paper": "inproceedings", "software": "software"}
ESCAPED = {sign: f"\\{sign}" for sign in "&%$#_{}"} | {"~": "\\textasciitilde{}"}


@dataclass(frozen=True)
class Citation:
    """The software and the papers whose methods it runs."""

    sentence: str
    """Authors (year). Title. Version."""
    bibtex: str
    """An entry for the software."""
    papers: str
    """Entries for the papers."""


@cache
def citation() -> Citation:
    """The citation that CITATION.cff asks for."""
    text = (files("bench.reports.pages") / FILE).read_text(encoding="utf-8")
    return read(text)


def read(text: str) -> Citation:
    """A file in the Citation File Format 1.2.0 as a citation.

    Args:
        text: YAML with `title`, `authors` and, where known, `version`, `date-released`, `url`,
            `doi` and `references`.
    """
    work = YAML(typ="safe", pure=True).load(text)
    authors = ", ".join(_name(author) for author in work["authors"])
    year = _year(work)
    parts = [
        f"{authors} ({year})." if year else f"{authors}.",
        f"{work['title']}.",
        f"Version {work['version']}." if "version" in work else "",
        work.get("doi") or work.get("repository-code") or work.get("url") or "",
    ]
    taken: set[str] = set()
    papers = "\n".join(_entry(paper, taken) for paper in work.get("references", []))
    software = _entry({**work, "type": "software"}, set())
    return Citation(" ".join(filter(None, parts)), software, papers)


def bibliography() -> str:
    """The software and all papers as one BibTeX file."""
    cited = citation()
    return f"{cited.bibtex}\n{cited.papers}"


def _entry(work: Mapping[str, Any], taken: set[str]) -> str:
    fields = {
        "author": " and ".join(_bibtex_name(author) for author in work["authors"]),
        "title": f"{{{_escaped(work['title'])}}}",
        "journal": _escaped(work.get("journal", "")),
        "booktitle": _escaped(work.get("collection-title", "")),
        "year": _year(work),
        "version": str(work.get("version", "")),
        "doi": work.get("doi", ""),
        "url": work.get("url") or work.get("repository-code") or "",
    }
    kind = BIBTEX_KINDS.get(work["type"], "misc")
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{_key(work, taken)},", *lines, "}", ""])


def _key(work: Mapping[str, Any], taken: set[str]) -> str:
    """First author, year and the first long word of the title: "wu2024backdoor"."""
    first = work["authors"][0]
    name = first.get("family-names") or work["title"].partition(":")[0]
    words = [word for word in work["title"].lower().split() if len(word) > 3 and word.isalpha()]
    base = "".join(x for x in f"{name}{_year(work)}".lower() if x.isalnum() and x.isascii())
    key = base + (words[0] if words and "family-names" in first else "")
    while key in taken:
        key += "x"
    taken.add(key)
    return key


def _name(author: Mapping[str, str]) -> str:
    family, given = author.get("family-names"), author.get("given-names")
    if family is None:
        return author["name"]
    return f"{family}, {given}" if given else family


def _bibtex_name(author: Mapping[str, str]) -> str:
    # A team's name in braces, or BibTeX would take its last word for a family name.
    name = _escaped(_name(author))
    return name if "family-names" in author else f"{{{name}}}"


def _year(work: Mapping[str, Any]) -> str:
    return str(work.get("year") or str(work.get("date-released", ""))[:4])


def _escaped(text: str) -> str:
    return "".join(ESCAPED.get(sign, sign) for sign in text)
