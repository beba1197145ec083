"""The documentation names what exists: links, variables, keys, commands and endpoints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from bot.__main__ import cli
from bot.config import Config, load_config
from bot.settings import Settings
from handlers.api.openapi import document
from tests.conftest import ROOT

DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/alerts/runbook.md")),
    *sorted(DOCS.rglob("*.md")),
]
CONFIGURATION = (DOCS / "reference" / "configuration.md").read_text(encoding="utf-8")
_YAML = re.compile(r"^( *)```yaml\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"^ *(`{3,}).*?^ *\1$", re.DOTALL | re.MULTILINE)


def prose(page: Path) -> str:
    """Return a page without its code blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    """A file that is linked exists, and has the heading that is linked."""
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.relative_to(DOCS).as_posix())
def test_every_page_is_in_the_overview(page: Path) -> None:
    """A reader who begins at docs/README.md finds every page."""
    overview = DOCS / "README.md"
    assert page == overview or f"({page.relative_to(DOCS).as_posix()})" in prose(overview)


def test_every_variable_is_documented_and_no_other() -> None:
    """The reference lists the variables that the settings read."""
    named = set(re.findall(r"^\| (`.+?) \|", CONFIGURATION, re.MULTILINE))
    listed = {name for cell in named for name in re.findall(r"`([A-Z][A-Z_]+)`", cell)}
    assert listed == Settings.variables()


def test_the_sample_of_the_environment_names_known_variables() -> None:
    """Each line of deploy/sitrep.env can be uncommented as it stands."""
    lines = (ROOT / "deploy" / "sitrep.env").read_text(encoding="utf-8").splitlines()
    set_ones = [line for line in lines if re.match(r"#?[A-Z_]+=", line)]
    assert set_ones
    assert {line.lstrip("#").partition("=")[0] for line in set_ones} <= Settings.variables()
    assert not any(re.search(r"[\s'\"]", line) for line in set_ones)


def test_every_key_is_documented_and_in_the_sample() -> None:
    """The reference and deploy/sitrep.yaml name every key at the top of the configuration."""
    sample = (ROOT / "deploy" / "sitrep.yaml").read_text(encoding="utf-8")
    for key in Config.model_fields:
        assert re.search(rf"^\| `{key}\b", CONFIGURATION, re.MULTILINE), key
        assert re.search(rf"^(# )?{key}:", sample, re.MULTILINE), key


def snippets() -> list[tuple[str, str]]:
    """Return the YAML blocks of the how-to guides that are parts of the configuration, each with its page."""
    found = []
    for page in sorted((DOCS / "how-to").glob("*.md")):
        for indent, block in _YAML.findall(page.read_text(encoding="utf-8")):
            text = "\n".join(line.removeprefix(indent) for line in block.splitlines())
            if not text.startswith("---"):
                found.append((page.name, text))
    return found


@pytest.mark.parametrize(("page", "text"), snippets())
def test_every_sample_of_the_configuration_is_one(page: str, text: str, tmp_path: Path) -> None:
    """A block that is pasted into the file of SITREP_CONFIG is taken, with the ladders that it names."""
    data = yaml.safe_load(text)
    named = {row["ladder"] for row in data.get("severities", {}).values() if row.get("ladder")}
    ladders = {name: [{"after": "0s", "name": "On-call SRE"}] for name in named}
    file = tmp_path / f"{page}.yaml"
    file.write_text(yaml.safe_dump({**data, "ladders": {**ladders, **data.get("ladders", {})}}))
    assert load_config(file)


def commands(command: Any, path: str = "sitrep") -> list[str]:
    """Return the full name of every command that is not a group."""
    below = getattr(command, "commands", {})
    return [name for key, each in below.items() for name in commands(each, f"{path} {key}")] or [path]


def test_every_command_is_documented() -> None:
    """The reference of the command line lists every command."""
    page = (DOCS / "reference" / "command-line.md").read_text(encoding="utf-8")
    found = commands(typer.main.get_command(cli))
    assert "sitrep outbox retry" in found
    for name in found:
        assert re.search(rf"`{name}\b", page), name


def test_every_endpoint_is_documented() -> None:
    """The reference of the HTTP API lists every path of the OpenAPI description."""
    page = (DOCS / "reference" / "http-api.md").read_text(encoding="utf-8").replace("[/{source}]", "/{source}")
    for path in document()["paths"]:
        assert path in page, path
