from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bot.incidents.policy import SEVERITY_MEANS, Severity
from bot.runbooks.catalog import Catalog
from bot.runbooks.lint import lint
from bot.runbooks.model import Runbook
from tests.quick import shipped

SECTIONS = ("Symptoms", "Diagnosis", "Remediation", "Verification", "Escalation")
KEPT = {"ops.outbox.relay", "ops.queue.backlog", "ops.webhook.outage", "ops.general.first-response"}
CONTENT = Path(__file__).parents[3] / "runbooks"
IDS = [runbook.id for runbook in shipped()]
# How many steps a section may have; what is longer is two runbooks.
STEPS = {"Diagnosis": (3, 8), "Remediation": (1, 8), "Verification": (2, 4), "Escalation": (2, 4)}
# How many characters of each part a message in Slack shows (`bot.slack.runbook`): a command that is cut is a wrong one.
ROOM = {"text": 800, "code": 900, "rollback": 300, "no_rollback": 250}
# Seed 001, escalation matrix: the backup owner where Platform SRE comes first.
BACKUPS = {"sev1": {"Engineering Manager"}, "sev3": {"Platform Engineering"}}

SPOKEN = {
    "ops.general.first-response": tuple(Severity),
    "ops.platform.containment": (Severity.SEV1, Severity.SEV2),  # nothing less is contained
}


@pytest.fixture(scope="module")
def catalog(content: Path) -> Catalog:
    return Catalog.load(content)


def book(catalog: Catalog, runbook_id: str) -> Runbook:
    found = catalog.get(runbook_id)
    assert found is not None
    return found


def test_the_catalog_is_clean(catalog: Catalog) -> None:
    """There are thirty runbooks at least, those that other programs name among them, and nothing is to mend."""
    assert len(catalog) >= 30
    assert set(IDS) >= KEPT
    rules = [CONTENT.parent / "deploy" / "alerts" / "sitrep.rules.yml"]
    found = lint(CONTENT, catalog, catalog.general.last_reviewed_at, rules)
    assert [str(problem) for problem in found] == []


@pytest.mark.parametrize("runbook_id", IDS)
def test_every_runbook_has_the_sections_in_order(catalog: Catalog, runbook_id: str) -> None:
    """A responder finds the same five sections everywhere, with work to do in four of them."""
    runbook = book(catalog, runbook_id)
    assert tuple(section.title for section in runbook.sections) == SECTIONS
    counts = {section.title: len(section.steps) for section in runbook.sections}
    for title, (least, most) in STEPS.items():
        assert least <= counts[title] <= most, title


@pytest.mark.parametrize("runbook_id", IDS)
def test_every_remediation_names_its_rollback(catalog: Catalog, runbook_id: str) -> None:
    """Whatever a runbook changes, it says how to take it back (seed 001)."""
    for step in book(catalog, runbook_id).steps:
        if step.section == "Remediation":
            assert step.rollback or step.no_rollback, step


@pytest.mark.parametrize("runbook_id", IDS)
def test_numbers_in_the_file_are_the_numbers_of_the_steps(catalog: Catalog, content: Path, runbook_id: str) -> None:
    """Step 7 in Slack is step 7 in the file."""
    runbook = book(catalog, runbook_id)
    text = (content / runbook.url.removeprefix("runbooks/")).read_text(encoding="utf-8")
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", text, flags=re.MULTILINE)]
    assert numbers == [step.number for step in runbook.steps]


@pytest.mark.parametrize("runbook_id", IDS)
def test_steps_are_shown_whole_and_name_their_language(catalog: Catalog, runbook_id: str) -> None:
    """Nothing of a step or an introduction is cut in Slack, and no code is of an unknown language."""
    for section in book(catalog, runbook_id).sections:
        assert len(section.intro) <= (2800 if section.title == "Symptoms" else 500), section.title
    for step in book(catalog, runbook_id).steps:
        for part, room in ROOM.items():
            assert len(getattr(step, part) or "") <= room, (step.number, part)
        assert (step.language in {"sh", "sql", "promql", "logql", "traceql"}) if step.code else step.language == ""


def test_every_url_is_the_files_own_path(catalog: Catalog, content: Path) -> None:
    """The url of each runbook leads to its file."""
    for runbook in catalog:
        assert (content.parent / runbook.url).is_file()


def test_the_general_runbook_serves_no_signal(catalog: Catalog) -> None:
    """The fallback is chosen by absence, never by a signal."""
    assert catalog.general.signals == ()


def test_the_checklist_is_short_and_ordered(catalog: Catalog) -> None:
    """The first-response checklist begins with the acknowledgement and fits a phone."""
    assert 5 <= len(catalog.checklist.items) <= 10
    assert "Acknowledge" in catalog.checklist.items[0].text
    assert [item.number for item in catalog.checklist.items] == list(range(1, len(catalog.checklist.items) + 1))


def test_a_runbook_becomes_json(catalog: Catalog) -> None:
    """The API can give a runbook as it is."""
    document = json.loads(catalog.general.model_dump_json())
    assert document["severity_hint"] == "sev3"
    assert document["sections"][1]["steps"][0]["number"] == 1


@pytest.mark.parametrize("runbook_id", IDS)
def test_backup_owners_are_those_of_the_matrix(catalog: Catalog, runbook_id: str) -> None:
    """Sev1 falls to the Engineering Manager, Platform SRE's sev3 to Platform Engineering (seed 001)."""
    runbook = book(catalog, runbook_id)
    if runbook.severity_hint == "sev1" or runbook.owner_team == "Platform SRE":
        wanted = BACKUPS.get(runbook.severity_hint, {runbook.backup_owner})
        assert runbook.backup_owner in wanted


@pytest.mark.parametrize("runbook_id", ["ops.general.first-response", "ops.platform.containment"])
def test_severities_have_one_definition(catalog: Catalog, runbook_id: str) -> None:
    """Where a runbook asks for the severity, it uses the words of the one definition (seed 004, 5.1)."""
    text = " ".join(step.text for step in book(catalog, runbook_id).steps).casefold()
    for severity in SPOKEN[runbook_id]:
        assert f"{severity.value}: {SEVERITY_MEANS[severity]}" in text


def test_the_severities_page_quotes_the_definition() -> None:
    """The page that explains the severities defines each one as the forms do."""
    page = (CONTENT.parent / "docs" / "severities.md").read_text(encoding="utf-8")
    for severity, meaning in SEVERITY_MEANS.items():
        assert f"| {severity.value} | {meaning} |" in page
