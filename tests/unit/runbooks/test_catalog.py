from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from bot.incidents.policy import Severity
from bot.runbooks.catalog import Catalog, CatalogError

META = {
    "id": "ops.one",
    "title": "One",
    "severity_hint": "sev2",
    "owner_team": "SRE",
    "last_reviewed_at": "2026-11-21",
    "url": "runbooks/one.md",
}
BODY = "\n## Diagnosis\n\n1. Look.\n"

Directory = Callable[..., Path]


def runbook(body: str = BODY, **changes: str | None) -> str:
    rows = [f"{key}: {value}" for key, value in (META | changes).items() if value is not None]
    return "\n".join(["---", *rows, "---", body])


def problems(path: Path) -> str:
    with pytest.raises(CatalogError) as caught:
        Catalog.load(path)
    return str(caught.value)


def test_reads_metadata_sections_and_steps(directory: Directory) -> None:
    """A runbook comes with its metadata, its sections' intros and its steps in order."""
    body = "# One\n\nA summary.\n\n## Diagnosis\n\nFirst\nthis.\n\n1. Look.\n2. Ask.\n\n## Verification\n\n1. Check.\n"
    one = Catalog.load(directory(one=runbook(body, signals="[high, Alert]", backup_owner="Dev"))).get("ops.one")
    assert one is not None
    assert (one.severity_hint, one.last_reviewed_at, one.backup_owner) == (Severity.SEV2, date(2026, 11, 21), "Dev")
    assert one.signals == ("high", "Alert")
    assert one.summary == "A summary."
    assert [(section.title, section.intro) for section in one.sections] == [
        ("Diagnosis", "First this."),
        ("Verification", ""),
    ]
    assert [(step.section, step.number, step.text) for step in one.steps] == [
        ("Diagnosis", 1, "Look."),
        ("Diagnosis", 2, "Ask."),
        ("Verification", 3, "Check."),
    ]


def test_version_is_the_start_of_the_files_hash(directory: Directory) -> None:
    """The version changes with any byte of the file and with nothing else."""
    text = runbook()
    one = Catalog.load(directory(one=text)).get("ops.one")
    assert one is not None
    assert one.version == hashlib.sha256(text.encode()).hexdigest()[:12]


def test_windows_line_ends_and_byte_order_mark_are_read(directory: Directory) -> None:
    """A file saved on Windows gives the same steps."""
    text = runbook("\n## Diagnosis\n\n1. Look.\n\n   ```sh\n   one\n   two\n   ```\n").replace("\n", "\r\n")
    one = Catalog.load(directory(one=b"\xef\xbb\xbf" + text.encode())).get("ops.one")
    assert one is not None
    assert one.steps[0].code == "one\ntwo"


def test_runbooks_are_ordered_by_id_and_readme_is_left_out(directory: Directory) -> None:
    """Iteration does not depend on file names, and a README is no runbook."""
    catalog = Catalog.load(directory(zzz=runbook(id="aaa.first"), README="# About"))
    assert [one.id for one in catalog] == ["aaa.first", "ops.general.first-response"]
    assert len(catalog) == 2
    assert catalog.get("ops.absent") is None


@pytest.mark.parametrize("key", sorted(META))
def test_each_required_key_is_asked_for(directory: Directory, key: str) -> None:
    """A missing key is named with its file and the fix."""
    assert problems(directory(one=runbook(**{key: None}))) == f"one.md: add `{key}` to the front matter"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"severity_hint": "sev9"}, "correct `severity_hint`"),
        ({"id": "no dots"}, "correct `id`"),
        ({"id": "undotted"}, "correct `id`"),
        ({"last_reviewed_at": "yesterday"}, "correct `last_reviewed_at`"),
        ({"title": "''"}, "correct `title`"),
        ({"signals": "high"}, "correct `signals`"),
        ({"owner": "SRE"}, "remove `owner`"),
        ({"title": "'open"}, "fix the YAML front matter"),
    ],
)
def test_wrong_values_are_named(directory: Directory, changes: dict[str, str], words: str) -> None:
    """A value that breaks the contract stops the load with the file's name and what to do."""
    message = problems(directory(one=runbook(**changes)))
    assert message.startswith("one.md: ")
    assert words in message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("\n## Diagnosis\n\nNothing.\n", "add at least one step"),
        ("\n1. Look.\n", "under level-2 headings"),
        ("\n## D\n\n1. Look.\n\n```sh\nls\n```\n", "section 'D': indent what follows step 1"),
        ("\n## D\n\n1. Look.\n\n   ```\n   a\n   ```\n\n   ```\n   b\n   ```\n", "join the code blocks of step 1"),
        ("\n## D\n\n1. ```\n   a\n   ```\n", "say in words what step 1 does"),
    ],
)
def test_bodies_that_would_lose_something_are_refused(directory: Directory, body: str, words: str) -> None:
    """What would not reach the responder is an error at load, not a gap at night."""
    message = problems(directory(one=runbook(body)))
    assert message.startswith("one.md: ")
    assert words in message


@pytest.mark.parametrize(
    ("text", "words"),
    [(b"\xff\xfe", "save it as UTF-8"), ("## D\n\n1. Look.\n", "begin the file with front matter")],
)
def test_files_that_are_no_runbooks_are_named(directory: Directory, text: str | bytes, words: str) -> None:
    """A file in another encoding or without front matter is named with the fix."""
    assert problems(directory(one=text)).startswith(f"one.md: {words}")


@pytest.mark.parametrize("changes", [{"id": "ops.two"}, {"url": "two.md"}, {"id": "ops.two", "url": "two.md"}])
def test_nothing_is_claimed_twice(directory: Directory, changes: dict[str, str]) -> None:
    """Two files with the same id, url, or signal at the same place are refused: one runbook must come first."""
    message = problems(directory(one=runbook(signals="[high]"), two=runbook(signals="[high]", **changes)))
    assert "two.md: change the signal high; one.md has it already" in message
    assert ("two.md: change the id" in message) == ("id" not in changes)
    assert ("two.md: change the url" in message) == ("url" not in changes)


def test_a_signal_may_lead_to_several(directory: Directory) -> None:
    """Named at different places of their lists, a signal may stand in two runbooks."""
    catalog = Catalog.load(
        directory(
            one=runbook(signals="[own, high]"), two=runbook(signals="[high]", id="ops.two", url="runbooks/two.md")
        )
    )
    assert [one.id for one in catalog if "high" in one.signals] == ["ops.one", "ops.two"]


def test_checklists_may_have_a_schedule(directory: Directory) -> None:
    """A periodic checklist says when: every so often, or by cron, but not both and nothing else."""
    listed = "---\nid: checklist.drill\ntitle: Drill\nschedule: {{{}}}\n---\n1. Fail over.\n"
    for schedule in ("every: 2w", 'cron: "0 9 * * mon"'):
        catalog = Catalog.load(directory(**{"checklists/drill": listed.format(schedule)}))
        assert [one.id for one in catalog.checklists if one.schedule] == ["checklist.drill"]
    for schedule in ("every: often", 'cron: "0 9 * *"', 'cron: "0 9 * * 1"', 'every: 1d, cron: "0 9 * * mon"'):
        assert "correct `schedule" in problems(directory(**{"checklists/drill": listed.format(schedule)}))


def test_checklists_to_run_afterwards_exist(directory: Directory) -> None:
    """A runbook that names a checklist which is not there is refused."""
    assert "add the checklist checklist.absent" in problems(directory(one=runbook(verification="[checklist.absent]")))


def test_all_problems_are_told_at_once(directory: Directory) -> None:
    """Whoever mends the catalog sees every file at fault in one run."""
    with pytest.raises(CatalogError) as caught:
        Catalog.load(directory(one=runbook(title=None, url=None), two="nothing", **{"checklists/first-response": None}))
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "one.md",
        "one.md",
        "two.md",
        "checklists",
    ]


def test_the_general_runbook_is_required(directory: Directory) -> None:
    """A catalog without the fallback is refused: some alert will match nothing."""
    assert "ops.general.first-response" in problems(directory(general=None, one=runbook()))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("---\nid: checklist.other\ntitle: T\n---\n1. A\n", "add a checklist with `id: checklist.first-response`"),
        ("---\nid: checklist.first-response\ntitle: T\n---\nA\n", "add at least one item"),
        ("---\nid: checklist.first-response\n---\n1. A\n", "add `title`"),
    ],
)
def test_a_wrong_checklist_is_named(directory: Directory, text: str, words: str) -> None:
    """A checklist under another id, or without items or a title, is refused."""
    assert words in problems(directory(**{"checklists/first-response": text}))


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    """A wrong path says what to point to."""
    assert "point SITREP_RUNBOOKS to the one that holds the runbooks" in problems(tmp_path / "absent")
