from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.incidents.policy import Severity
from bot.runbooks.templates import Mrkdwn, TemplateError, Templates

INITIAL: dict[str, Any] = {
    "severity": Severity.SEV1,
    "number": "INC-20261121-001",
    "title": "Quota checks fail",
    "service": "metering",
    "impact": "No tenant can check a quota",
    "detected": "14:32 UTC",
    "status": "investigating",
    "responders": "alice, bob",
    "next_update": "14:47 UTC",
    "customer_notification": "status page, 14:40 UTC",
}
UPDATE: dict[str, Any] = {
    "number": "INC-20261121-001",
    "severity": "sev1",
    "status": "identified",
    "state": "The Redis pool is empty",
    "action": "adding replicas",
    "owner": "bob",
    "eta": "15:00 UTC",
    "next_update": "15:00 UTC",
    "author": "alice",
}
RESOLUTION: dict[str, Any] = {
    "number": "INC-20261121-001",
    "severity": "sev1",
    "title": "Quota checks fail",
    "service": "metering",
    "duration": "28 min",
    "root_cause": "Redis pool exhausted",
    "fix": "six replicas",
    "follow_ups": ["review the autoscaler", "raise the pool"],
    "timeline": "INC-20261121-001-timeline.md",
    "author": "alice",
}
ALL = [("initial", INITIAL), ("update", UPDATE), ("resolution", RESOLUTION)]


@pytest.fixture(scope="session")
def templates(content: Path) -> Templates:
    return Templates(content / "templates")


def write(path: Path, **sources: str) -> Path:
    for name, source in ({"initial": "i", "update": "u", "resolution": "r"} | sources).items():
        (path / f"{name}.md.j2").write_text(source, encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "context"), ALL)
def test_every_field_is_printed_and_the_message_is_short(
    templates: Templates, name: str, context: dict[str, Any]
) -> None:
    """An ordinary message holds all its fields, under 1,500 characters and without empty lines."""
    message = templates.render(name, **context)
    for value in context.values():
        for part in value if isinstance(value, list) else [value]:
            assert part in message or str(part).upper() in message
    assert len(message) < 1500
    assert "\n\n" not in message


def test_an_initial_message_reads_like_this(templates: Templates) -> None:
    """The first message: one field a line, label first."""
    assert templates.render("initial", **INITIAL).splitlines() == [
        ":rotating_light: *SEV1 INC-20261121-001* Quota checks fail",
        "*Service:* metering",
        "*Impact:* No tenant can check a quota",
        "*Detected:* 14:32 UTC",
        "*Status:* investigating",
        "*Responders:* alice, bob",
        "*Next update:* 14:47 UTC",
        "*Customers:* status page, 14:40 UTC",
    ]


@pytest.mark.parametrize(
    ("name", "context", "unknown", "absent"),
    [
        ("initial", INITIAL, ("Service", "Impact", "Detected", "Responders", "Customers"), ("Next update",)),
        ("update", UPDATE, (), ("Next step", "On it", "Expected back", "Next update", "From")),
        (
            "resolution",
            RESOLUTION,
            ("Duration", "Root cause", "Fixed by"),
            ("Service", "Still to do", "Timeline", "Resolved by"),
        ),
    ],
)
@pytest.mark.parametrize("empty", ["", None])
def test_empty_fields_ask_or_vanish(
    templates: Templates,
    name: str,
    context: dict[str, Any],
    unknown: tuple[str, ...],
    absent: tuple[str, ...],
    empty: str | None,
) -> None:
    """What must be found out says so; what does not matter now takes no line."""
    kept = {"number", "severity", "title", "status", "state"}
    message = templates.render(name, **{key: value if key in kept else empty for key, value in context.items()})
    labels = {row.split(":*")[0].strip("*"): row.split(":*")[1] for row in message.splitlines() if ":*" in row}
    for label in unknown:
        assert "unknown yet" in labels[label] or "yet: " in labels[label]
    assert not labels.keys() & set(absent)


@pytest.mark.parametrize(("name", "context"), ALL)
def test_a_missing_field_is_an_error_that_names_it(templates: Templates, name: str, context: dict[str, Any]) -> None:
    """A forgotten field is never printed as nothing."""
    for field in context:
        with pytest.raises(TemplateError, match=rf"^{name}\.md\.j2: give the missing field.*'{field}'"):
            templates.render(name, **{key: value for key, value in context.items() if key != field})


@pytest.mark.parametrize(("name", "context"), ALL)
def test_hostile_values_are_escaped_everywhere(templates: Templates, name: str, context: dict[str, Any]) -> None:
    """No value can mention a channel, forge a link or add a line that looks like a field."""
    hostile = "<!channel> & <https://evil|x>\n*Status:* fine"
    for field, value in context.items():
        message = templates.render(name, **(context | {field: [hostile] if isinstance(value, list) else hostile}))
        assert "<" not in message
        assert "&lt;!" in message.lower()
        assert " &amp; " in message.lower()
        assert "\n*Status:* fine" not in message


@given(st.text())
def test_no_text_leaves_slack_markup(templates: Templates, text: str) -> None:
    """Whatever a title holds, no angle bracket and no bare ampersand comes out."""
    message = templates.render("initial", **(INITIAL | {"title": text, "impact": text}))
    assert "<" not in message
    assert ">" not in message
    assert "&" not in message.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")


def test_marked_text_is_printed_as_it_stands(templates: Templates) -> None:
    """Mentions and links that this program makes itself survive, also through the filters."""
    message = templates.render(
        "initial", **(INITIAL | {"responders": Mrkdwn("<@U1> <@U2>"), "impact": Mrkdwn("<https://x|y>\nmore")})
    )
    assert "*Responders:* <@U1> <@U2>\n" in message
    assert "*Impact:* <https://x|y>\n    more\n" in message


def test_the_mark_is_lost_in_any_other_expression(tmp_path: Path) -> None:
    """Joining marked text with plain text gives plain text, which is escaped."""
    templates = Templates(write(tmp_path, update="{{ author ~ state }} {{ [author, state] | join }}"))
    assert templates.render("update", author=Mrkdwn("<@U1>"), state="<b>") == (
        "&lt;@U1&gt;&lt;b&gt; &lt;@U1&gt;&lt;b&gt;\n"
    )


def test_numbers_and_none_are_printed_plainly(tmp_path: Path) -> None:
    """A number prints as digits and None as nothing."""
    templates = Templates(write(tmp_path, update="{{ number }}|{{ eta }}|{{ eta | line }}|{{ state | text }}"))
    assert templates.render("update", number=7, eta=None, state="x\n\n  y ") == "7|||x\n    y\n"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ state.__class__.__mro__ }}", "correct the template: SecurityError|give the missing field"),
        ("{{ [state].append(1) }}", "correct the template: SecurityError"),
        ("{{ 1 // 0 }}", "correct the template: ZeroDivisionError"),
        ("{{ state + 1 }}", "correct the template: TypeError"),
        ("{% include state %}", "correct the template: TemplateNotFound"),
    ],
)
def test_a_faulty_template_is_named(tmp_path: Path, source: str, words: str) -> None:
    """The sandbox holds, and every failure names the template."""
    templates = Templates(write(tmp_path, update=source))
    with pytest.raises(TemplateError, match=rf"^update\.md\.j2: ({words})"):
        templates.render("update", state="t")


def test_a_syntax_error_is_found_at_start(tmp_path: Path) -> None:
    """A broken template stops the start, not the first incident."""
    with pytest.raises(TemplateError, match=r"^update\.md\.j2: correct line 2"):
        Templates(write(tmp_path, update="ok\n{{ oops"))


def test_a_missing_template_is_found_at_start(tmp_path: Path) -> None:
    """The three templates are required."""
    write(tmp_path)
    (tmp_path / "resolution.md.j2").unlink()
    with pytest.raises(TemplateError, match=r"^resolution\.md\.j2: add it to "):
        Templates(tmp_path)


def test_a_template_in_another_encoding_is_named(tmp_path: Path) -> None:
    """A file that is not UTF-8 is named."""
    write(tmp_path)
    (tmp_path / "update.md.j2").write_bytes(b"\xff")
    with pytest.raises(TemplateError, match=r"^update\.md\.j2: make it a readable UTF-8 file"):
        Templates(tmp_path)


def test_an_unknown_name_lists_the_known_ones(templates: Templates) -> None:
    """Asking for another template tells which there are."""
    with pytest.raises(TemplateError, match=r"use one of draft-.*, initial, resolution, update"):
        templates.render("../secret")
