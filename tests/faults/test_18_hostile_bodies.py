"""Fault 18: bodies and texts that are made to hurt, on both databases: PostgreSQL takes no NUL, SQLite takes it."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Iterator

from markdown_it import MarkdownIt

from tests.conftest import WEBHOOK_TOKEN, Client, both_databases
from tests.integration.bodies import alert, body, pagerduty
from tests.integration.test_intake_faults import (
    AM,
    BROKEN_AM,
    BROKEN_PD,
    EVIL,
    NO_JSON,
    ODD,
    ODD_DATA,
    PD,
    hold_harmless,
    problem,
)
from tests.integration.world import World

LARGE = b'{"a": "' + b"x" * 17 * 1024 * 1024 + b'"}'
DEEP = json.dumps(body(alert(), more="deep")).replace('"deep"', "[" * 900 + "]" * 900).encode()
FORMULAS = ("=HYPERLINK('http://evil.example')", "+1+1", "-1", "@SUM(A1)", "\t=1", "\uff1d1")
MARKUP = "{{ 7*7 }} {% for x in y %} | cell | **bold** [click](https://evil.example) <script>x</script> `"
UNFIT = re.compile("[\x00-\x08\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@both_databases
def test_fault_18_a_body_that_cannot_be_read_is_refused(bot: Client, world: World) -> None:
    """17 MiB are 413; what is no JSON, too deep or of another shape is 400 and kept; odd fields count as absent."""

    def chunks() -> Iterator[bytes]:
        yield from (LARGE[start : start + 65_536] for start in range(0, len(LARGE), 65_536))

    for path in (AM, PD):
        for content in (LARGE, chunks()):
            answer = bot.http.post(path, content=content, headers={"authorization": f"Bearer {WEBHOOK_TOKEN}"})
            problem(answer, 413, "too_large")
    sent = []
    for send, broken in ((bot.alertmanager, [*BROKEN_AM, DEEP]), (bot.pagerduty, BROKEN_PD)):
        for made in (*NO_JSON, *broken):
            raw = made if isinstance(made, bytes) else json.dumps(made).encode()
            problem(send(raw), 400, "malformed")
            sent.append(raw)
    assert [letter["body"] for letter in world.dead()] == sent
    assert len(world.rows("SELECT id FROM inbox")) == len(sent)
    for kind in ("incident.triggered", "incident.resolved", "incident.annotated"):
        for number, odd in enumerate(ODD_DATA):
            data = {"id": f"PODD{number}", "urgency": "low", "priority": None, **odd}
            event = pagerduty(kind, event_id=f"{kind}-{number}", **data)
            assert bot.pagerduty(event).status_code == 202, (kind, odd)
    world.settle()
    assert bot.incidents() == []
    assert world.rows("SELECT id FROM deliveries WHERE state = 'failed'") == []
    assert bot.http.get("/readyz").status_code == 200


@both_databases
def test_fault_18_hostile_text_is_text_everywhere(bot: Client, world: World) -> None:
    """Mentions, NULs, lone surrogates, overrides, templates and formulas do nothing in Slack and in no export."""
    evil = EVIL + ODD + MARKUP
    names = ("service", "region", "instance", "tenant", "impact", "correlation_id", "resource_name", "host_role")
    facts = ("summary", "description", "metric", "threshold", "value", "dashboard_url", "runbook_url")
    sent = alert(
        labels={"alertname": evil, "severity": "critical", evil: evil, **dict.fromkeys(names, evil)},
        annotations=dict.fromkeys(facts, evil),
        generatorURL=f"https://x/{evil}",
    )
    answer = bot.alertmanager(body(sent, groupKey=evil))
    assert answer.status_code == 202, answer.text
    number = answer.json()["outcome"].removeprefix("declared ")
    bot.wait_opened(number)
    person = {"id": "UEVIL", "type": "user_reference", "summary": evil}
    pager = {"title": evil, "service": {"summary": evil}, "assignees": [person], "html_url": f"https://x/{evil}"}
    assert bot.pagerduty(pagerduty("incident.triggered", **pager)).status_code == 202
    for kind in ("annotated", "responder.replied", "acknowledged"):
        told = pagerduty(f"incident.{kind}", content=evil, message=evil, user=person)
        told["event"]["agent"] = person
        assert bot.pagerduty(told).status_code == 202, kind
    spoken = evil.replace("\ud800", "").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")  # as Slack does
    for text in (spoken, *FORMULAS):
        assert bot.slash(f"{number} note {text}") == f"Added to the timeline of {number}."
    bot.slash(f"{number} update {spoken}")
    bot.slash(f"{number} resolve {spoken}")
    hold_harmless(bot, world)
    for path in ("/api/v1/incidents/INC-1%00", "/api/v1/incidents/%00/timeline", "/api/v1/incidents/%F0%9F"):
        assert bot.get(path).status_code == 404, path

    for incident in bot.incidents():
        lines = bot.events(incident["number"])
        for line in lines:
            assert not UNFIT.search(line["text"])
        path = f"/api/v1/incidents/{incident['number']}/timeline"
        table = list(csv.reader(io.StringIO(bot.get(path, format="csv").text, newline="")))
        assert len(table) == len(lines) + 1
        for cell in (cell for row in table for cell in row):
            assert cell.lstrip()[:1] not in set("=+-@\uff1d"), cell
        page = bot.get(path, format="md").text
        assert not UNFIT.search(page)
        shown = MarkdownIt("commonmark", {"html": True}).enable("table").parse(page)
        inside = [child for token in shown for child in (token, *(token.children or ()))]
        assert not [t.content for t in inside if t.type in {"html_block", "html_inline"}]
        # An address is a link that shows where it leads; nothing leads elsewhere than it says.
        for opened, word in itertools.pairwise(inside):
            if opened.type == "link_open" and "evil.example" in str(opened.attrs.get("href")):
                assert opened.info == "auto", word.content
