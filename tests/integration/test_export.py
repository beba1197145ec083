"""The timeline leaves the bot: by the command line, over HTTP and in Slack."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.conftest import API_TOKEN, Client, InProcess, wait_for
from tests.forks import sitrep
from tests.integration.bodies import alert, body


def test_exports_are_the_same_bytes_twice_with_the_service_stopped(
    bot: Client, service: InProcess, environ: dict[str, str]
) -> None:
    """Markdown, JSON and CSV of one incident come from the file alone, byte for byte the same each time."""
    number, channel = bot.open_one()
    bot.slash("ack", channel=channel)
    bot.slash('update "=1+1 | <b>Redis</b> is out of connections"', channel=channel)
    bot.slash("resolve scaled Redis from 3 to 6", channel=channel)
    wait_for(lambda: bot.workspace.find(channel, "is resolved"))
    over_http = {
        fmt: bot.get(f"/api/v1/incidents/{number}/timeline", format=fmt).content for fmt in ("md", "json", "csv")
    }
    service.stop()
    for fmt, content in over_http.items():
        first = sitrep(environ, "export", number, "--format", fmt)
        again = sitrep(environ, "export", number.lower(), "--format", fmt)
        assert first.returncode == 0, first.stderr
        assert first.stdout == again.stdout == content
        assert b"Redis" in first.stdout
    assert over_http["csv"].startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(over_http["csv"].decode("utf-8-sig"))))
    assert not [cell for row in rows for cell in row.values() if cell.lstrip()[:1] in {"=", "+", "@"}]
    document = json.loads(over_http["json"])
    assert document["schema_version"] == 1
    assert set(document["events"][0]) == {
        "seq", "occurred_at", "recorded_at", "kind", "actor", "text", "source", "data",
    }  # fmt: skip


def test_every_occurrence_of_an_alert_is_exported(bot: Client) -> None:
    """An alert that fired, ended and fired again has both in the exports, the one that opened the incident first."""
    again = "2026-11-21T07:20:00Z"
    number = bot.alertmanager(body(alert())).json()["outcome"].removeprefix("declared ")
    bot.wait_opened(number)
    bot.alertmanager(body(alert(status="resolved"), status="resolved"))
    bot.alertmanager(body(alert(startsAt=again)))
    exports = {fmt: bot.get(f"/api/v1/incidents/{number}/timeline", format=fmt) for fmt in ("md", "json")}
    told = [(row["status"], row["starts_at"], row["ends_at"]) for row in exports["json"].json()["alerts"]]
    assert told == [
        ("resolved", "2026-11-21T06:55:43.401Z", "2026-11-21T07:10:43.401Z"),
        ("firing", "2026-11-21T07:20:00.000Z", None),
    ]
    rows = [row for row in exports["md"].text.splitlines() if row.startswith("| HighErrorRate")]
    assert [row.split(" | ")[1:4] for row in rows] == [
        ["resolved", "2026-11-21 06:55", "2026-11-21 07:10"],
        ["firing", "2026-11-21 07:20", ""],
    ]


def test_an_export_in_slack_is_a_file_and_a_line_on_the_timeline(bot: Client) -> None:
    """`/incident export csv` shares the file in the channel and says so on the timeline; the others write nothing."""
    number, channel = bot.open_one()
    before = bot.kinds(number)
    for fmt in ("md", "json", "csv"):
        bot.get(f"/api/v1/incidents/{number}/timeline", format=fmt)
    assert bot.kinds(number) == before
    bot.slash("export csv", channel=channel)
    wait_for(lambda: [m for m in bot.workspace.messages(channel) if m.files])
    files = [f for m in bot.workspace.messages(channel) for f in m.files]
    assert [f.name for f in files] == [f"{number}-timeline.csv"]
    assert "exported" in bot.kinds(number)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/incidents/INC-20260101-001", 404, "no_incident"),
        ("/api/v1/incidents/INC-20260101-001/timeline", 404, "no_incident"),
        ("/api/v1/incidents?limit=0", 400, "bad_limit"),
        ("/api/v1/incidents?before=x", 400, "bad_before"),
    ],
)
def test_the_api_says_what_is_wrong(bot: Client, path: str, status: int, code: str) -> None:
    """Errors come in the envelope, with a code and a message."""
    answer = bot.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"]
    assert answer.json()["error"]["correlation_id"]


def test_an_unknown_format_is_named(bot: Client) -> None:
    """A format that there is not is refused with those that there are."""
    number, _ = bot.open_one()
    answer = bot.get(f"/api/v1/incidents/{number}/timeline", format="pdf")
    assert answer.status_code == 400
    assert "csv" in answer.json()["error"]["message"]


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Basic !!!", "Basic dXNlcjp3cm9uZw=="])
def test_the_api_wants_a_token(bot: Client, authorization: str) -> None:
    """Without a good token nothing is told."""
    assert bot.http.get("/api/v1/incidents", headers={"authorization": authorization}).status_code == 401


def test_basic_authentication_takes_the_token_as_password(bot: Client) -> None:
    """A browser can log in: any user, the token as password."""
    assert bot.http.get("/api/v1/incidents", auth=("anyone", API_TOKEN)).json() == {"incidents": [], "next": None}


def test_pages_follow_each_other(bot: Client) -> None:
    """`next` leads to the page after, until there is none."""
    for title in ("one", "two", "three"):
        bot.slash(f"declare {title} sev4")
    first = bot.get("/api/v1/incidents", limit=2).json()
    second = bot.get("/api/v1/incidents", limit=2, before=first["next"]).json()
    titles = [i["title"] for i in first["incidents"] + second["incidents"]]
    assert titles == ["three", "two", "one"]
    assert second["next"] is None


def test_a_wrong_number_on_the_command_line_names_the_fix(environ: dict[str, str], service: InProcess) -> None:
    """An error is one line without a traceback."""
    done = sitrep(environ, "export", "INC-20260101-001")
    assert done.returncode == 1
    assert done.stderr.startswith(b"sitrep: There is no INC-20260101-001")
    assert b"Traceback" not in done.stderr
