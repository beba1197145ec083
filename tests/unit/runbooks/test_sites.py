"""What differs by company, cluster or region: the configuration's `sites`, and what runbooks make of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from bot.config import load_config
from bot.errors import ConfigError
from bot.incidents.model import Alert
from bot.runbooks.catalog import Catalog
from bot.runbooks.index import FILE, document
from bot.runbooks.links import Places
from bot.runbooks.lint import Level, lint, templates_of
from bot.runbooks.model import Checklist, Step
from bot.runbooks.render import Rendered, render, variables
from bot.runbooks.sites import NO_SITES, Sites, sites_of
from bot.slack import runbook as shown
from bot.slack.runbook import Sheet
from tests.quick import shipped
from tests.unit.runbooks.sheets import a_sheet
from tests.unit.runbooks.test_catalog import runbook

SITES = """
sites:
  default: {namespace: prod, backup_bucket: acme-backups, replicas: 3, debug: false}
  eu-1: {backup_bucket: acme-backups-eu, dashboards: {Golden Signals: "https://grafana.example.com/d/abc"}}
  us: {match: ['cluster=~"us-.*"'], namespace: prod-us}
"""


def configured(tmp_path: Path, text: str) -> Sites:
    file = tmp_path / "sitrep.yaml"
    file.write_text(text)
    return sites_of(load_config(file).sites)


def alert(**labels: str) -> Alert:
    return Alert("alertmanager", "g", "1", "X", labels)


@pytest.mark.parametrize(
    ("labels", "region", "expected"),
    [
        ({}, "", ("default", "prod", "acme-backups")),
        ({"cluster": "eu-1"}, "", ("eu-1", "prod", "acme-backups-eu")),
        ({"region": "eu-1"}, "", ("eu-1", "prod", "acme-backups-eu")),
        ({"site": "eu-1", "cluster": "k8s-7"}, "", ("eu-1", "prod", "acme-backups-eu")),
        ({}, "eu-1", ("eu-1", "prod", "acme-backups-eu")),
        ({"cluster": "us-west-2"}, "", ("us", "prod-us", "acme-backups")),
        ({"cluster": "elsewhere"}, "", ("default", "prod", "acme-backups")),
    ],
)
def test_the_site_is_that_of_the_alert(
    tmp_path: Path, labels: dict[str, str], region: str, expected: tuple[str, ...]
) -> None:
    """By its name in a label, by matchers, or by the incident's region; what it leaves out is the default's."""
    site = configured(tmp_path, SITES).site([alert(**labels)], region)
    assert (site.name, site.values["namespace"], site.values["backup_bucket"]) == expected
    assert (site.values["replicas"], site.values["debug"]) == ("3", "false")


def test_variables_without_a_site_are_everywhere(tmp_path: Path) -> None:
    """A company with one site names none."""
    sites = configured(tmp_path, 'sites: {namespace: prod, dashboards: {Main: "https://g/d/1"}}')
    assert sites.site([alert(cluster="any")]).values == {"namespace": "prod"}
    assert sites.site([]).dashboards == {"Main": "https://g/d/1"}
    assert configured(tmp_path, "slack: {}") == NO_SITES


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sites: {eu: {a: 1}, namespace: prod}", "put each variable under a site"),
        ("sites: {eu: {db_password: x}}", "db_password: take it out, runbooks are shown in Slack"),
        ("sites: {eu: {match: ['nonsense nonsense']}}", "sites.eu"),
        ("sites: {eu: {Bucket: x}}", "sites.eu"),
        ("sites: {eu: {bucket: [a]}}", "sites.eu"),
        ("sites: {eu: {dashboards: {Main: nowhere}}}", "sites.eu.dashboards.Main"),
    ],
)
def test_a_mistake_is_refused_by_its_key(tmp_path: Path, text: str, words: str) -> None:
    """What is wrong stops the start with its key, and a secret is never taken."""
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, text)
    assert words in str(caught.value)


@pytest.mark.parametrize("value", ["plain", "two words", "a'b", 'a"b', "a;rm -rf /", "a&b|c", "*", "~"])
def test_a_value_is_one_word_of_a_command(value: str) -> None:
    """Whatever a value holds, a shell takes it for one word: in a block, and between backticks in a sentence."""
    facts = {"backup_bucket": value}
    made = render("aws s3 ls s3://${{ backup_bucket }}/pg", "sh", facts).text
    assert shlex.split(made) == ["aws", "s3", "ls", f"s3://{value}/pg"]
    said = render("List ${{ backup_bucket }}: `aws s3 ls ${{ backup_bucket }}`.", "", facts).text
    assert said.startswith(f"List {value}: `")
    assert shlex.split(said[said.index("`") + 1 : said.rindex("`")]) == ["aws", "s3", "ls", value]


def test_a_variable_may_have_a_default() -> None:
    """What the platform's own documents call it stands where no site says otherwise, and is no placeholder."""
    text = "Set once: `export NS=${{ vault_namespace | creto-vault }}`."
    assert render(text, "", {}) == Rendered("Set once: `export NS=creto-vault`.")
    assert render(text, "", {"vault_namespace": "vault"}).text == "Set once: `export NS=vault`."
    assert variables(text) == ("vault_namespace",)


def test_each_listed_variable_is_used() -> None:
    """The list of variables says what can be set, and nothing that no runbook takes."""
    books = (*shipped(), *shipped().checklists)
    used = {name for book in books for _, text in templates_of(book) for name in variables(text)}
    assert set(shipped().variables) <= used
    assert len(shipped().variables) >= 20


def test_what_a_shell_would_expand_is_never_filled_in() -> None:
    """A value with `$(...)` stays a placeholder."""
    assert render("`ls ${{ namespace }}`", "", {"namespace": "$(id)"}).missing == ("namespace",)


def test_a_placeholder_says_what_to_fill_in() -> None:
    """Without `sites` a runbook reads well: what is missing is named once, with what it means."""
    book = Checklist(
        id="checklist.x",
        title="X",
        version="1",
        items=(
            Step(section="", number=1, text="Look at `aws s3 ls s3://${{ backup_bucket }}` as ${{ backup_bucket }}."),
        ),
    )
    sheet = a_sheet(book)
    sheet = Sheet(sheet.incident, sheet.run, book, {}, {"backup_bucket": "bucket of the dumps"})
    said = str(shown.checklist(sheet)[1])
    assert "Replace before running: ⟨backup_bucket⟩ (bucket of the dumps)." in said
    assert said.count("bucket of the dumps") == 1
    assert "s3://⟨backup_bucket⟩" in said


def test_dashboards_have_addresses() -> None:
    """By the site's own, else by Grafana's search; without either the name alone."""
    book = shipped().get("ops.service.latency")
    assert book is not None
    title = book.dashboards[0]
    sheet = a_sheet(book)
    with_own = Sheet(sheet.incident, sheet.run, book, dashboards={title: "https://g.example.com/d/1"})
    assert f"<https://g.example.com/d/1|{title}>" in str(shown.runbook(with_own)[1])
    places = Places(grafana="https://grafana.example.com")
    assert "https://grafana.example.com/dashboards?query=" in str(shown.runbook(sheet, (), places)[1])
    assert f"Dashboards: {title}" in str(shown.runbook(sheet)[1])


def test_lint_knows_what_sites_can_give(directory: Callable[..., Path]) -> None:
    """A variable of the list or of the configuration is known, another an error; one that nobody uses is warned of."""
    text = runbook("\n## Diagnosis\n\n1. Look at ${{ listed }}, ${{ given }}, ${{ nonsense }} and ${{ namespace }}.\n")
    folder = directory(one=text)
    (folder / "signals.yaml").write_text("{}")
    (folder / "sites.yaml").write_text("listed: what it means\n")
    catalog = Catalog.load(folder)
    (folder / FILE).write_text(document(catalog))
    found = lint(folder, catalog, date(2026, 11, 21), given={"given", "givn"})
    assert [(problem.rule, problem.level) for problem in found] == [("variable", Level.ERROR), ("site", Level.WARNING)]
    assert "'nonsense' is no variable" in found[0].text
    assert "givn: no runbook uses this variable; did you mean 'given'?" in found[1].text


def test_the_list_of_variables_is_part_of_what_can_be_broken(directory: Callable[..., Path]) -> None:
    """A list that cannot be read is named, and costs nothing else."""
    folder = directory()
    (folder / "sites.yaml").write_text("[")
    catalog = Catalog.read(folder)
    assert catalog.variables == {}
    assert "sites.yaml: make it a readable YAML file" in catalog.problems[0]
    assert catalog.general.title == "General"
