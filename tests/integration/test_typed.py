"""What people type: the incident that they mean, severities, people and times, however they are written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.faults import Fault
from tests.conftest import LADDER, Client, Hands, wait_for

SERVICES = """
services:
  checkout: {slack: [dana@example.com]}
  Payments API: {slack: [charlie@example.com]}
"""


@pytest.fixture
def environ(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    config = tmp_path / "sitrep.yaml"
    config.write_text(LADDER + SERVICES)
    return environ


@pytest.fixture
def two(bot: Client) -> tuple[str, str, str, str]:
    """Two open incidents with channels: A's number and channel, B's number and channel."""
    a, a_channel = bot.open_one("declare Checkout is down sev2")
    b, b_channel = bot.open_one("declare Search is slow sev2")
    return a, a_channel, b, b_channel


def question(bot: Client, user: str, channel: str) -> dict[str, str]:
    """Return the buttons of the question that somebody was asked last: labels and their values."""
    asked = bot.workspace.ephemerals(user, channel)[-1]
    elements = [e for block in asked.blocks for e in block.get("elements", ()) if e["type"] == "button"]
    return {element["text"]["text"]: element["value"] for element in elements}


# -- the incident that is meant ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("ack {b}", "acknowledged"),
        ("ack for {b} please", "acknowledged"),
        ("sev {b} 3", "severity_changed"),
        ("sev {b}: 3 because", "severity_changed"),
        ("lead {b}", "role_assigned"),
        ("lead @bob {b}", "role_assigned"),
        ("status {b} identified", "status_changed"),
        ("pause {b} 30m", "cadence_paused"),
        ("{link} ack", "acknowledged"),
        ("ack {link}", "acknowledged"),
        ("#{channel} ack", "acknowledged"),
    ],
)
def test_an_incident_named_behind_the_verb_is_the_one_that_is_meant(
    bot: Client, two: tuple[str, str, str, str], line: str, kind: str
) -> None:
    """In A's channel a verb with B's number or channel acts on B, and A stays as it was."""
    a, a_channel, b, b_channel = two
    link = f"<#{bot.workspace.channel(b_channel).id}|{b_channel}>"
    before = bot.kinds(a)
    bot.slash(line.format(b=b, link=link, channel=b_channel), "alice", a_channel)
    bot.wait_event(b, kind)
    assert bot.kinds(a) == before


@pytest.mark.parametrize(
    "line", ["note {b} has the same cause", "update {b} is fixed, we go on", "resolve {b} was the cause", "sev 3 {b}"]
)
def test_a_text_that_begins_with_another_incident_is_asked_about(
    bot: Client, two: tuple[str, str, str, str], line: str
) -> None:
    """It may be about B or only name it: nothing happens until a button says which."""
    a, a_channel, b, _ = two
    before = bot.kinds(a), bot.kinds(b)
    assert "Which incident do you mean?" in bot.slash(line.format(b=b), "alice", a_channel)
    assert (bot.kinds(a), bot.kinds(b)) == before
    labels = question(bot, "alice", a_channel)
    verb = line.split(" ", maxsplit=1)[0].capitalize()
    assert list(labels) == [f"{verb} {b}", f"{verb} {a}"]
    said = bot.sure("alice", a_channel, f"{verb} {b}")
    assert "Which" not in said
    wait_for(lambda: len(bot.kinds(b)) > len(before[1]), what="the act on B")
    assert bot.kinds(a) == before[0]


def test_the_same_text_can_be_meant_for_the_channel(bot: Client, two: tuple[str, str, str, str]) -> None:
    """The other button keeps the number in the text of A."""
    a, a_channel, b, _ = two
    bot.slash(f"note {b} has the same cause", "alice", a_channel)
    bot.sure("alice", a_channel, f"Note {a}")
    assert bot.wait_event(a, "note")["text"] == f"{b} has the same cause"


def test_two_incidents_are_never_guessed_between(bot: Client, two: tuple[str, str, str, str]) -> None:
    """A number before the verb and another one behind it are asked about; one that does not exist acts on nothing."""
    a, a_channel, b, _ = two
    assert "Which incident do you mean?" in bot.slash(f"{a} ack {b}", "alice", "general")
    assert "There is no INC-20200101-001" in bot.slash("ack INC-20200101-001", "alice", a_channel)
    general = bot.workspace.channel("general")
    assert "belongs to no incident" in bot.slash(f"<#{general.id}|general> ack", "alice", a_channel)
    assert "acknowledged" not in bot.kinds(a) + bot.kinds(b)


@pytest.mark.parametrize("line", ["note Same as {b}, see the graph there", "resolve Scaled the pool, as we did in {b}"])
def test_a_text_may_name_another_incident(bot: Client, two: tuple[str, str, str, str], line: str) -> None:
    """Further on in a text a number is a part of it."""
    a, a_channel, b, _ = two
    before = bot.kinds(b)
    bot.slash(line.format(b=b), "alice", a_channel)
    bot.wait_event(a, line.split(" ", maxsplit=1)[0].replace("resolve", "resolved"))
    assert bot.kinds(b) == before


# -- severities -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "title", "severity", "source"),
    [
        ("declare SEV3: Disk is full", "Disk is full", "sev3", "“SEV3”"),
        ("declare Disk is full, sev 4.", "Disk is full", "sev4", "“sev 4”"),
        ("declare (sev3) Disk is full", "Disk is full", "sev3", "“sev3”"),
        ("declare Disk s\u200bev3 is full", "Disk s\u200bev3 is full", "sev3", "from"),
        ("declare Disk is full", "Disk is full", "sev2", "the default"),
    ],
)
def test_a_typed_severity_counts(bot: Client, line: str, title: str, severity: str, source: str) -> None:
    """The answer says which one was taken, and where from."""
    said = bot.slash(line)
    number = said.split()[1]
    shown = bot.incident(number)
    assert (shown["title"], shown["severity"]) == (title, severity)
    assert f"({severity}, " in said
    assert source in said


@pytest.mark.parametrize(
    ("line", "title", "severity"),
    [
        ("declare sev1", "", "sev1"),
        ("declare Raised from sev3 to sev2", "Raised from sev3 to sev2", "sev2"),
        ("Checkout is down SEV1", "Checkout is down", "sev1"),
        ("test sev4", "", "sev4"),
    ],
)
def test_a_form_begins_with_the_typed_severity(bot: Client, line: str, title: str, severity: str) -> None:
    """Also where two were typed, which only a person can decide."""
    assert bot.slash(line) == ""
    blocks: dict[str, Any] = {b["block_id"]: b["element"] for b in bot.workspace.open_views("alice")[-1].body["blocks"]}
    assert blocks["title"].get("initial_value", "") == title
    assert blocks["severity"]["initial_option"]["value"] == severity
    assert bot.incidents() == []


@pytest.mark.parametrize("end", [" private", ", private.", " (private)"])
def test_a_title_that_ends_in_private_is_asked_about(bot: Client, end: str) -> None:
    """Nobody is told of it before it is clear who may see it."""
    assert "private" in bot.slash(f"declare A laptop is gone sev3{end}")
    assert bot.incidents() == []
    said = bot.sure("alice", "general", "Declare it private")
    number = next(word for word in said.split() if word.startswith("INC-"))
    assert "Only invited people see it" in said
    wait_for(lambda: not bot.workspace.find("incidents", number), what="no announcement")


# -- people -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["lead {bob}, you have it", "lead to {bob}", "lead ({bob})", "lead @bob."])
def test_the_lead_is_given_whatever_stands_around_the_name(bot: Client, line: str) -> None:
    """Commas, brackets and words beside a mention are no part of it."""
    number = bot.slash("declare Disk is full sev4").split()[1]
    bob = bot.workspace.user("bob").id
    assert f"bob leads {number}" in bot.slash(f"{number} {line.format(bob=f'<@{bob}>')}")


def test_several_people_are_paged_and_invited_at_once(bot: Client) -> None:
    """With commas, `and`, and groups whose label Slack has left out."""
    number, channel = bot.open_one()
    group = bot.workspace.add_usergroup("db-team", ["dana"])
    bob, charlie = (bot.workspace.user(name).id for name in ("bob", "charlie"))
    assert "Paging bob, charlie" in bot.slash(f"page <@{bob}> and <@{charlie}>, the cache is yours", "alice", channel)
    assert bot.wait_event(number, "page_delivered", count=3)
    assert "Paging @db-team" in bot.slash(f"page <!subteam^{group.id}>", "alice", channel)
    said = bot.slash(f"invite <@{bob}>, <@{charlie}> and <!subteam^{group.id}>", "alice", channel)
    assert "Sending the invitations" in said
    everyone = {bob, charlie, bot.workspace.user("dana").id}
    wait_for(lambda: everyone <= set(bot.workspace.channel(channel).members), what="all of them in the channel")


def test_a_service_may_have_spaces_in_its_name(bot: Client) -> None:
    """As many words as fit are the service, in any case; the rest is the reason."""
    number, channel = bot.open_one()
    assert "Paging Payments API" in bot.slash("page payments api cards are refused", "alice", channel)
    event = wait_for(lambda: [e for e in bot.events(number) if "cards are refused" in str(e)], what="the page")
    assert event
    assert "no service" in bot.slash("page payments cards are refused", "alice", channel)


def test_two_people_of_one_name_are_asked_about(bot: Client) -> None:
    """Each has a button; the one that is pressed gets the role."""
    bot.workspace.add_user("sam.b", display_name="Sam")
    other = bot.workspace.add_user("sam.c", display_name="Sam")
    number = bot.slash("declare Disk is full sev4").split()[1]
    assert "2 people are called @sam" in bot.slash(f"{number} lead @sam")
    assert list(question(bot, "alice", "general")) == ["Sam (@sam.b)", "Sam (@sam.c)"]
    bot.sure("alice", "general", "Sam (@sam.c)")
    assert bot.wait_event(number, "role_assigned")["data"]["person"]["id"] == other.id


@pytest.mark.parametrize("verb", ["lead", "page", "handoff", "role scribe", "task add Call", "followup Call"])
def test_apps_and_deactivated_accounts_do_nothing(bot: Client, verb: str) -> None:
    """Neither the bot itself, nor another app, nor somebody who has left can be given anything."""
    app = bot.workspace.add_user("deploybot", is_bot=True)
    gone = bot.workspace.add_user("gone", deleted=True)
    number = bot.slash("declare Disk is full sev4").split()[1]
    bot.wait_event(number, "runbook_posted")
    before = bot.kinds(number)
    for who in (bot.workspace.bot, app):
        assert "is an app" in bot.slash(f"{number} {verb} <@{who.id}>")
    assert "deactivated" in bot.slash(f"{number} {verb} <@{gone.id}|gone>")
    assert bot.kinds(number) == before


def test_while_slack_does_not_say_who_somebody_is_a_mention_counts(bot: Client) -> None:
    """It names the person by itself, so that a lead can be given while Slack limits or fails."""
    number = bot.slash("declare Disk is full sev4").split()[1]
    bot.workspace.faults.add(Fault("users.info", "http500", times=None))
    bob = bot.workspace.user("bob").id
    bot.slash(f"{number} lead <@{bob}|bob>")
    assert bot.wait_event(number, "role_assigned")["data"]["person"] == {"id": bob, "name": "bob"}


def test_one_person_has_one_name(bot: Client) -> None:
    """The name that others see, and not the handle that a request carries, stands on the timeline."""
    bot.workspace.add_user("xq12", display_name="Robin Doe")
    number = bot.slash("declare Disk is full sev4", "xq12").split()[1]
    assert bot.wait_event(number, "declared")["actor"]["name"] == "Robin Doe"
    bot.slash(f"{number} lead", "xq12")
    assert bot.wait_event(number, "role_assigned")["data"]["person"]["name"] == "Robin Doe"


# -- times ------------------------------------------------------------------------------------------------------------


def test_a_notes_time_is_in_the_typists_own_zone_and_repeated(bot: Client) -> None:
    """The answer says the moment with its day, in UTC and in the zone."""
    number = bot.slash("declare Disk is full sev4").split()[1]
    said = bot.slash(f"{number} note It began yesterday at 02:00", "charlie")  # in India, 5:30 ahead
    assert "20:30 UTC (" in said
    assert "02:00 IST)" in said
    assert "T20:30:00" in bot.wait_event(number, "note")["occurred_at"]
    assert "UTC" in bot.slash(f"{number} note It began 10 min ago", "charlie")
    assert bot.wait_event(number, "note", count=2)["text"] == "It began"


@pytest.mark.parametrize("end", ["at 25:00", "at 03:12 XYZZY", "at tomorrow 10:00", "at 2026-02-30 10:00"])
def test_a_notes_time_that_cannot_be_read_is_refused_and_the_text_comes_back(bot: Client, end: str) -> None:
    """It is never noted as of now, and nothing that was typed is lost."""
    number = bot.slash("declare Disk is full sev4").split()[1]
    said = bot.slash(f"{number} note The replica &lt;a&gt; was restarted {end}")  # as Slack escapes it
    assert "note" not in bot.kinds(number)
    assert f"note The replica &lt;a&gt; was restarted {end}" in said


def test_an_updates_next_is_read_as_people_write_it(bot: Client) -> None:
    """In words, as a moment, and refused where it is none or too far."""
    number, channel = bot.open_one()
    said = bot.slash("update The pool is scaled next 1 hour 30 min", "alice", channel)
    assert "Next update due " in said
    assert bot.wait_event(number, "update_posted")["text"] == "The pool is scaled"
    bot.slash("update We roll back over the next 30 min", "alice", channel)
    assert bot.wait_event(number, "update_posted", count=2)["text"] == "We roll back over the next 30 min"
    for wrong in ("next 30", "next 3 days", "next 25:00", "next 0m"):
        assert "You typed" in bot.slash(f"update The pool is scaled again {wrong}", "alice", channel)
    assert bot.kinds(number).count("update_posted") == 2


def test_a_follow_up_is_due_on_a_day(bot: Client) -> None:
    """The answer repeats the owner and the day; a day that there is not is refused."""
    number = bot.slash("declare Disk is full sev4").split()[1]
    bob = bot.workspace.user("bob").id
    said = bot.slash(f"{number} followup Raise the limit 2099-12-05 <@{bob}>")
    assert "owner bob" in said
    assert "due Sat 2099-12-05" in said
    event = bot.wait_event(number, "followup_added")
    assert (event["data"]["due"], event["data"]["owner"]) == ("2099-12-05", "bob")
    assert "2026-02-30" in bot.slash(f"{number} followup Raise the other limit 2026-02-30")
    assert bot.kinds(number).count("followup_added") == 1


def test_a_form_says_beside_its_field_what_is_no_time(bot: Client) -> None:
    """A note's and an update's form keep what was typed, and read the same times as a line does."""
    number, channel = bot.open_one()
    bot.slash("note", "alice", channel)
    view = bot.workspace.open_views("alice")[-1]
    refused = bot.people.submit("alice", view.id, {"text": "It began", "at": "soon"}).json["errors"]
    assert list(refused) == ["at"]
    assert "Could not read “soon”" in refused["at"]
    assert bot.people.submit("alice", view.id, {"text": "It began", "at": "10 min ago"}).ok
    bot.wait_event(number, "note")
    bot.slash("update", "alice", channel)
    view = bot.workspace.open_views("alice")[-1]
    assert bot.people.press_in_view("alice", view.id, "update_more").ok
    wrong = {"state": "Scaling", "next": "later", "eta": "25:00"}
    assert sorted(bot.people.submit("alice", view.id, wrong).json["errors"]) == ["eta", "next"]
    good = {"state": "Scaling", "next": "half an hour", "eta": "unknown"}
    assert bot.people.submit("alice", view.id, good).json == {}
    assert bot.wait_event(number, "update_posted")["data"]["eta"] == "unknown"


# -- short numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["{n} ack", "#{n} ack", "INC-{n} ack", "{i} ack", "{n}: ack", "ack {n}", "ack #{n}"])
def test_a_short_number_is_the_incident_that_is_open_under_it(
    bot: Client, two: tuple[str, str, str, str], line: str
) -> None:
    """As it stands in the channel's name: in front of the verb it counts, behind it the person is asked."""
    a, channel, b, _ = two
    tail = b.rpartition("-")[2]
    said = bot.slash(line.format(n=tail, i=int(tail)), channel=channel)
    if "Which incident" in said:
        bot.sure("alice", channel, f"Ack {b}")
    bot.wait_event(b, "acknowledged")
    assert "acknowledged" not in bot.kinds(a)


@pytest.mark.parametrize(
    "line", ["resolve {n}", "mitigate {n}", "escalate {n}", "note {n} restarted", "cancel {n}", "resolve #{n} fixed"]
)
def test_a_text_that_begins_with_a_short_number_is_asked_about(
    bot: Client, two: tuple[str, str, str, str], line: str
) -> None:
    """Nothing has happened until one of the two is pressed."""
    a, channel, b, _ = two
    before = bot.kinds(a), bot.kinds(b)
    said = bot.slash(line.format(n=b.rpartition("-")[2]), channel=channel)
    assert "Which incident do you mean?" in said
    assert (a in said, b in said) == (True, True)
    assert (bot.kinds(a), bot.kinds(b)) == before


@pytest.mark.parametrize(
    "line", ["sev 3 too loud", "note 503 on checkout", "note 3 pods restart", "resolve 100% fixed"]
)
def test_other_numbers_are_text(bot: Client, two: tuple[str, str, str, str], line: str) -> None:
    """What names no open incident is not asked about."""
    _, channel, _, _ = two
    assert "Which incident" not in bot.slash(line, channel=channel)


def test_a_short_number_of_no_incident_is_refused(bot: Client, two: tuple[str, str, str, str]) -> None:
    """It opens no form with the number as a title."""
    _, _, b, _ = two
    said = bot.slash("999 ack", channel="general")
    assert said.startswith("No open incident has the number 999.")
    assert b in said


# -- texts ------------------------------------------------------------------------------------------------------------


def test_a_long_update_is_kept_whole_with_its_next(bot: Client) -> None:
    """Slack lets some 4,000 characters through: all are on the timeline, and the time behind them counts."""
    number, channel = bot.open_one()
    text = f"{'word ' * 780}END"
    said = bot.slash(f"update {text} next 20m", channel=channel)
    assert said.startswith("Posted the update. Next update due ")
    event = bot.wait_event(number, "update_posted")
    assert event["text"].endswith("END")
    assert 1195 <= seconds_until_next(bot, number, event) <= 1205


def seconds_until_next(bot: Client, number: str, event: dict[str, Any]) -> float:
    due = datetime.fromisoformat(bot.incident(number)["next_update_at"])
    return (due - datetime.fromisoformat(event["recorded_at"])).total_seconds()


def test_no_change_can_name_its_next(bot: Client) -> None:
    """`same next 10m` posts no update that says "same"."""
    number, channel = bot.open_one()
    assert bot.slash("update same next 10m", channel=channel).startswith("Noted: no change. Next update due ")
    event = bot.wait_event(number, "update_posted")
    assert event["text"] == "No change"
    assert 595 <= seconds_until_next(bot, number, event) <= 605


def test_the_minute_that_was_typed_is_the_minute_that_is_said(bot: Client, hands: Hands) -> None:
    """However far into a second it was typed."""
    _, channel = bot.open_one()
    for _ in range(5):
        due = hands.now() + timedelta(minutes=30)
        said = bot.slash(f"update Looking next {due:%H:%M} UTC", channel=channel)
        assert f"{due:%H:%M} UTC" in said


@pytest.mark.parametrize(
    ("line", "text", "time"),
    [
        ("DB failed over at yesterday 02:00", "DB failed over", "02:00"),
        ("at 00:12 UTC restarted the pod", "restarted the pod", "00:12"),
        ("graph dipped (yesterday 15:12 UTC)", "graph dipped", "15:12"),
    ],
)
def test_a_notes_time_is_taken_out_of_its_text(bot: Client, hands: Hands, line: str, text: str, time: str) -> None:
    """Wherever it stands; what is near ahead is refused instead."""
    number, channel = bot.open_one()
    said = bot.slash(f"note {line}", channel=channel)
    if "lies ahead" in said:
        return
    assert time in said
    assert bot.wait_event(number, "note")["text"] == text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("followup Raise the limit {bob} friday", "owner bob, due Fri "),
        ("followup Raise the limit {bob} by Friday", "owner bob, due Fri "),
        ("followup Raise the limit by Friday {bob}", "owner bob, due Fri "),
        ("task add Call the provider {bob} by Friday", "Task 1 added, owner bob."),
        ("task add Call the provider {bob} friday", "Task 1 added, owner bob."),
    ],
)
def test_an_owner_counts_with_a_day_beside_the_name(bot: Client, line: str, said: str) -> None:
    """In either order, with or without a word before the day; the answer names both."""
    _, channel = bot.open_one()
    bob = f"<@{bot.workspace.user('bob').id}>"
    assert said in bot.slash(line.format(bob=bob), channel=channel)


@pytest.mark.parametrize("line", ["sev 1 sev2", "sev 2 or sev 3", "task done 1 2", "task skip 1, 2"])
def test_two_where_one_is_meant_are_refused(bot: Client, line: str) -> None:
    """Neither of them is guessed."""
    number, channel = bot.open_one()
    for text in ("one", "two"):
        bot.slash(f"task add {text}", channel=channel)
    before = bot.incident(number)["severity"]
    assert "Give one" in bot.slash(line, channel=channel)
    assert bot.incident(number)["severity"] == before
    assert not [e for e in bot.events(number) if "done" in e["text"] or "skipped" in e["text"]]


def test_the_lead_of_somebody_else_is_offered_only_knowingly(bot: Client) -> None:
    """Nor is it offered to oneself."""
    number, channel = bot.open_one()
    bot.slash("lead", "bob", channel)
    alice, dana = (f"<@{bot.workspace.user(name).id}>" for name in ("alice", "dana"))
    assert "You named yourself" in bot.slash(f"handoff {alice}", "alice", channel)
    assert "bob leads" in bot.slash(f"handoff {dana}", "alice", channel)
    assert not [e for e in bot.events(number) if "offered" in e["text"]]
    assert "Offered the lead to dana" in bot.sure("alice", channel, "Offer it")


def test_what_is_typed_into_a_merged_incident_is_asked_about(bot: Client, two: tuple[str, str, str, str]) -> None:
    """The work goes on in the other one; a press puts it there, and the status says where that is."""
    a, a_channel, b, _ = two
    bot.slash(f"merge {b}", channel=a_channel)
    bot.sure("alice", a_channel, "Merge")
    bot.wait_event(a, "merged")
    assert f"merged into {b}" in bot.slash("status", channel=a_channel)
    assert "where the work continues" in bot.slash("note it was the load balancer", channel=a_channel)
    assert b in bot.sure("alice", a_channel, f"Note {b}")
    assert bot.wait_event(b, "note")["text"] == "it was the load balancer"
    assert "it was the load balancer" not in [e["text"] for e in bot.events(a)]


def test_two_who_escalate_at_once_page_one_level(bot: Client) -> None:
    """The second hears which level was paged; whoever types it again pages the next one."""
    number, channel = bot.open_one()
    with ThreadPoolExecutor(2) as pool:
        said = [*pool.map(lambda user: bot.slash("escalate", user, channel), ["alice", "bob"])]
    paged = bot.kinds(number).count("escalated")
    assert sorted(text.split(",")[0] for text in said) in (
        ["Level 2", "Paging level 2"],
        ["Paging level 2", "Paging level 3"],  # one came after the other
    )
    assert paged == sum(text.startswith("Paging") for text in said)
    assert bot.slash("escalate", "bob", channel).startswith(f"Paging level {paged + 2}, ")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("role incident commander {bob}", "bob leads "),
        ("role Tech Lead: {bob}", "bob is tech lead of "),
        ("role communications lead {bob}", "bob is communications"),
        ("role comms {bob}", "bob is communications"),
        ("role the scribe {bob}", "bob is scribe of "),
        ("role scribe bob", "Example: `/incident role scribe @ann`."),
        ("role janitor {bob}", "Give one of these roles: "),
    ],
)
def test_a_role_is_called_as_people_call_it(bot: Client, line: str, said: str) -> None:
    """In one word or two; a refusal's example can be typed as it stands."""
    _, channel = bot.open_one()
    bob = f"<@{bot.workspace.user('bob').id}>"
    assert said in bot.slash(line.format(bob=bob), channel=channel)


def test_the_lead_is_taken_by_its_role_only_knowingly_too(bot: Client) -> None:
    """`role lead` is no way around the question."""
    number, channel = bot.open_one()
    bot.slash("lead", "bob", channel)
    assert "bob leads" in bot.slash("role lead", "alice", channel)
    assert bot.incident(number)["roles"]["lead"]["name"] == "bob"
    assert "alice leads" in bot.sure("alice", channel, "Take the lead")
