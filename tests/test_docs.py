"""What the documents say is tried: their examples run, their commands and files exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from bench.attacks.poisoning.contract import attacks
from bench.data.dataset import data_sets
from bench.ending import ExitCode
from bench.learning.settings import Training
from bench.method import methods
from bench.suites.reader import suite_names

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "SECURITY.md", *(
    f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))])  # fmt: skip
def test_files_and_make_targets_that_documents_name_exist(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake ([a-z][a-z-]+)", text):
        assert f"\n{target}:" in makefile, f"{document}: no target {target}"
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert ((ROOT / document).parent / link).exists(), f"{document}: {link} does not exist"
    for path in re.findall(r"\b(?:docs|benchmarks|reports|tests)/[\w/]+\.(?:py|md|yaml)\b", text):
        if "NAME" not in path and f": {path} -->" not in text:  # the document says to write it
            assert (ROOT / path).exists(), f"{document}: {path} does not exist"


def test_every_method_attack_data_set_and_training_setting_is_documented() -> None:
    described = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    for name in methods():
        assert f"**{name}**" in described, f"docs/methods.md does not describe {name}"
    described = (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8")
    for name in attacks():
        assert f"\n## {name}\n" in described, f"docs/attacks.md does not describe {name}"
    described = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    for name in data_sets():
        assert f"`{name}`" in described or f"**{name}**" in described, f"docs/data.md lacks {name}"
    settings = (ROOT / "docs" / "suites.md").read_text(encoding="utf-8")
    for field in Training.model_fields:
        assert f"`{field}`" in settings, f"docs/suites.md does not describe {field}"


def test_the_readme_names_every_suite() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "small form (`..._small`)" in readme
    for name in {name.removesuffix("_small") for name in suite_names()}:
        assert f"`{name}`" in readme or f"--suite {name}" in readme


def test_the_readme_lists_every_exit_code_and_no_other() -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Exit codes")[2]
    listed = re.findall(r"^\| (\d+) \|", section.partition("\n## ")[0], re.MULTILINE)
    assert [int(code) for code in listed] == sorted(ExitCode)


def test_citation_file_is_valid_yaml_with_the_papers() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    titles = {reference["title"].lower() for reference in citation["references"]}
    for name, method in methods().items():
        paper = method.paper.title.lower()
        named = any(title.startswith(paper) for title in titles)
        assert named, f"CITATION.cff does not name {name}'s paper"
