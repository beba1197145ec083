"""A broken runbook, checklist or template is skipped and named; the rest is read, and something always stands in."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from bot.incidents.model import Alert
from bot.runbooks.catalog import Catalog
from bot.runbooks.lint import Level, lint
from bot.runbooks.match import match
from bot.runbooks.minimum import CHECKLIST_ID, FIRST_RESPONSE, GENERAL, GENERAL_ID
from bot.runbooks.templates import Filling, TemplateError, Templates
from tests.unit.runbooks.test_catalog import runbook
from tests.unit.runbooks.test_templates import INITIAL, RESOLUTION, UPDATE, write

Directory = Callable[..., Path]
GOOD = runbook(id="ops.good", url="runbooks/good.md", signals="[Good]")
BROKEN: dict[str, tuple[str | bytes, str]] = {
    "bad YAML": (runbook(title="'open"), "fix the YAML front matter"),
    "a key twice": (runbook(title="x\ntitle: y"), "the key 'title' is already in line"),
    "a day that there is not": (runbook(last_reviewed_at="2026-02-30"), "fix the YAML front matter"),
    "deep YAML": ("---\nid: " + "[" * 5000 + "\n---\n", "fix the YAML front matter"),
    "unknown key": (runbook(owner="SRE"), "remove `owner`"),
    "a list instead of keys": ("---\n- a\n---\n## D\n\n1. Look.\n", "begin the file with front matter"),
    "no UTF-8": (b"---\nid: \xff\n---\n", "save it as UTF-8"),
    "duplicate id": (runbook(id="ops.good"), "change the id ops.good; good.md has it already"),
    "no steps": (runbook("\n## Diagnosis\n\nNothing.\n"), "add at least one step"),
    "bad regular expression": (runbook(alerts="['(']"), "fix the regular expression '('"),
    "bad matcher": (runbook(matchers="[nonsense nonsense]"), "correct `matchers"),
    "empty": ("", "begin the file with front matter"),
    "too large": ("x" * (1024 * 1024 + 1), "make it smaller"),
    "absent checklist": (runbook(verification="[checklist.absent]"), "add the checklist checklist.absent"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_costs_itself_alone(directory: Directory, kind: str) -> None:
    """Whatever is wrong with one file, it is named with the fix, and the others are read."""
    text, words = BROKEN[kind]
    catalog = Catalog.read(directory(good=GOOD, zz=text))
    assert [problem.partition(": ")[0] for problem in catalog.problems] == ["zz.md"]
    assert words in catalog.problems[0]
    assert catalog.get("ops.good") is not None
    assert match(catalog, [Alert("a", "g", "1", "Good")]).runbook.id == "ops.good"
    assert catalog.general.title == "General"


@pytest.mark.parametrize("kind", ["directory", "loop", "dangling", "unreadable", "pipe"])
def test_what_is_no_file_costs_nothing(directory: Directory, kind: str) -> None:
    """A directory, a loop of links, a link to nothing, a pipe: each is named, and none is waited for."""
    folder = directory(good=GOOD)
    (folder / "signals.yaml").write_text("{}")
    odd = folder / "zz.md"
    match kind:
        case "directory":
            odd.mkdir()
        case "loop":
            odd.symlink_to(odd)
        case "dangling":
            odd.symlink_to(folder / "absent")
        case "pipe":
            os.mkfifo(odd)
        case _:
            odd.write_text(GOOD)
            odd.chmod(0)
            if os.access(odd, os.R_OK):
                pytest.skip("this user may read everything")
    catalog = Catalog.read(folder)
    (problem,) = catalog.problems
    assert problem.startswith(("zz.md: make it readable", "zz.md: move it away"))
    assert catalog.get("ops.good") is not None
    assert [found.rule for found in lint(folder, catalog, date(2026, 11, 21)) if found.file == "zz.md"] == ["broken"]


@pytest.mark.parametrize("text", [None, "nothing", b"\xff"])
def test_a_built_in_general_runbook_stands_in(directory: Directory, text: str | bytes | None) -> None:
    """Where the general one is broken or missing, an alert that matches nothing still gets steps."""
    catalog = Catalog.read(directory(general=text, good=GOOD))
    found = match(catalog, [Alert("a", "g", "1", "Odd")])
    assert found.runbook is GENERAL
    assert found.runbook.id == GENERAL_ID
    assert len(found.runbook.steps) >= 5
    assert len(catalog.problems) == 1


@pytest.mark.parametrize("text", [None, "nothing"])
def test_a_built_in_checklist_stands_in(directory: Directory, text: str | None) -> None:
    """A new incident has its first steps, whatever became of the file."""
    catalog = Catalog.read(directory(**{"checklists/first-response": text}))
    assert catalog.checklist is FIRST_RESPONSE
    assert catalog.book(CHECKLIST_ID) is FIRST_RESPONSE


@pytest.mark.parametrize("there", [True, False])
def test_without_a_directory_the_built_in_ones_are_all(tmp_path: Path, there: bool) -> None:
    """A path that is wrong, or a file, is named, and the service has what it needs to run."""
    path = tmp_path / "runbooks"
    if there:
        path.write_text("no directory")
    catalog = Catalog.read(path)
    assert ([*catalog], catalog.checklist) == ([GENERAL], FIRST_RESPONSE)
    assert "point SITREP_RUNBOOKS" in catalog.problems[0]


def test_lint_tells_of_broken_files_beside_all_else(directory: Directory) -> None:
    """Whoever checks sees every file at fault at once: the broken one and what is wrong with the others."""
    folder = directory(zz="nothing", good=GOOD.replace("1. Look.", "1. Look at ${{ nonsense }}."))
    (folder / "signals.yaml").write_text("{}")
    found = {(problem.file, problem.rule) for problem in lint(folder, Catalog.read(folder), date(2026, 11, 21))}
    assert found >= {("zz.md", "broken"), ("good.md", "variable")}
    assert {problem.level for problem in lint(folder, Catalog.read(folder), date(2026, 11, 21))} == {Level.ERROR}


@pytest.mark.parametrize(
    "broken", ["{{ oops", b"\xff", None, "{{ nonsense }}", "{{ 1 // 0 }}", "{% include 'absent' %}"]
)
@pytest.mark.parametrize(("name", "facts"), [("initial", INITIAL), ("update", UPDATE), ("resolution", RESOLUTION)])
def test_a_built_in_template_stands_in(
    tmp_path: Path, name: str, facts: dict[str, str], broken: str | bytes | None
) -> None:
    """A status message goes out whatever is wrong with its template: at the start, or when it is filled in."""
    folder = write(tmp_path)
    file = folder / f"{name}.md.j2"
    file.unlink()
    if broken is not None:
        file.write_bytes(broken if isinstance(broken, bytes) else broken.encode())
    said = Templates.read(folder).render(name, **facts)
    assert facts["number"] in said


def test_a_broken_draft_is_left_out(tmp_path: Path) -> None:
    """An update's form opens empty where its draft names a field that there is not."""
    templates = Templates.read(write(tmp_path, **{"draft-identified": "{{ nonsense }}"}))
    with pytest.raises(TemplateError, match=r"draft-identified\.md\.j2: correct line 1: there is no field `nonsense`"):
        templates.draft("identified", {})
    assert templates.draft("monitoring", {}) == ""
    assert "draft-identified.md.j2" in templates.problems[0]


@pytest.mark.parametrize(
    ("name", "source", "words"),
    [
        ("update", "ok\n{{ sate | text }}", "correct line 2: there is no field `sate`; did you mean `state`?"),
        (
            "update",
            "{% if x %}\n{{ x }}\n{% endif %}",
            "correct line 1: there is no field `x`; there are action, author",
        ),
        ("initial", "{{ number }}\n\n{{ root_cause }}", "correct line 3: there is no field `root_cause`; there are "),
        (
            "resolution",
            "{% for i in folow_ups %}{{ i }}{% endfor %}",
            "line 1: there is no field `folow_ups`; did you mean",
        ),
        ("resolution", "{{ a_b }}\n{{ fixx }}", "line 2: there is no field `fixx`; did you mean `fix`?"),
        ("draft-identified", "{{ title }}\n{{ state }}", "line 2: there is no field `state`; did you mean `started`?"),
        ("update", "{{ state | lin }}", "correct line 1: No filter named 'lin'. Did you mean `line`?"),
        ("update", "ok\n\n{% if state %}", "correct line 3: "),
        ("initial", "{{ number", "correct line 1: "),
        ("resolution", "{% include 'footr.md.j2' %}", "correct line 1: there is no template `footr.md.j2`"),
    ],
)
def test_a_fault_of_a_template_is_named_and_refused_at_start(
    tmp_path: Path, name: str, source: str, words: str
) -> None:
    """The file, the line, what is wrong and what was probably meant."""
    templates = Templates.read(write(tmp_path, **{name: source}))
    (problem,) = templates.problems
    assert problem.startswith(f"{name}.md.j2: ")
    assert words in problem
    with pytest.raises(TemplateError) as caught:
        templates.sound()
    assert f"{tmp_path}/{problem}" in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "{% set x = number %}{{ x }}",
        "{% for i in range(2) %}{{ i }}{{ loop.index }}{% endfor %}",
        "{% macro bold(x) %}*{{ x }}*{% endmacro %}{{ bold(number) }}",
        "{% include 'footer.md.j2' %}{{ level }}",
        "{% include 'absent.md.j2' ignore missing %}",
    ],
)
def test_what_a_template_may_use_is_no_fault(tmp_path: Path, source: str) -> None:
    """Its own names, Jinja's, and other templates, which may print what any message can."""
    templates = Templates(write(tmp_path, footer="{{ number }}", **dict.fromkeys(("initial", "resolution"), source)))
    assert templates.problems == ()
    assert templates.sound() is templates


def test_an_edited_template_counts_at_once(tmp_path: Path) -> None:
    """While it is broken the built-in one stands in and the reason is kept; once it is mended it is used again."""
    folder = write(tmp_path, update="first {{ state }}")
    templates = Templates.read(folder)
    filling = Filling(templates)
    assert filling.render("update", **UPDATE) == "first The Redis pool is empty\n"
    (folder / "update.md.j2").write_text("second {{ sate }}")
    assert ":memo:" in filling.render("update", **UPDATE)
    assert filling.problems == ["update.md.j2: correct line 1: there is no field `sate`; did you mean `state`?"]
    (folder / "update.md.j2").write_text("third: {{ state }}")
    assert filling.render("update", **UPDATE) == "third: The Redis pool is empty\n"
    assert len(filling.problems) == 1
