"""Looking people up never delays a page: names are looked up ahead, kept, and asked for again in the background."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.sandbox.faults import WINDOW, Fault, Kind, Tiers
from bot.sandbox.server import SandboxServer
from bot.sandbox.workspace import Workspace
from bot.slack.directory import GROUPS_EVERY, JITTER, LOOK_UP_WITHIN
from bot.slack.gateway import MOST
from tests.conftest import Client, Hands, InProcess, both_databases, room_of, wait_for
from tests.integration.bodies import alert, body
from tests.integration.world import LOOK_UPS, World

LADDER = """
runbooks: {checklists: false}
ladders:
  default:
    - {after: 0s, name: On-call SRE, slack: ["@sre", bob@example.com]}
    - {after: 5m, name: Engineering Manager, slack: [dana@example.com]}
"""
AT_ONCE = 12
# Slack lets a method go on after a minute: what takes less did not wait for that.
SOON = WINDOW / 2
REFRESHED = GROUPS_EVERY.total_seconds() * (1 + JITTER) + 1


@pytest.fixture
def environ(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr("bot.app.AUDIT_TURNED", 0.1)
    Path(environ["SITREP_CONFIG"]).write_text(LADDER)
    return environ


@pytest.fixture
def workspace(workspace: Workspace, hands: Hands) -> Workspace:
    workspace.add_usergroup("sre", ["alice", "charlie"])
    workspace.tiers = Tiers(lambda: hands.now().timestamp())
    return workspace


@pytest.fixture
def known(bot: Client, world: World) -> None:
    """Wait until everybody of the ladder, and of its group, is known."""
    wait_known(world, 5)


def wait_known(world: World, names: int) -> None:
    query = "SELECT spec FROM slack_names WHERE answered_at IS NOT NULL"
    wait_for(lambda: len(world.rows(query)) >= names, what=f"{names} names")


def fire(bot: Client, start: int = 0) -> list[str]:
    """Let that many groups, of a service each, declare an incident each at once; gives the numbers."""
    numbers = []
    for n in range(start, start + AT_ONCE):
        labels = {"alertname": "HighErrorRate", "severity": "critical", "service": f"service-{n}"}
        outcome, _, number = (
            bot.alertmanager(body(alert(f"f{n}", labels=labels), group=f'{{}}:{{service="service-{n}"}}'))
            .json()["outcome"]
            .partition(" ")
        )
        assert outcome == "declared"
        numbers.append(number)
    return numbers


def delivered(bot: Client, number: str) -> list[str]:
    return [e["text"] for e in bot.events(number) if e["kind"] == "page_delivered"]


def wait_paged(bot: Client, numbers: list[str], names: str) -> None:
    """Wait, for less than a limit of Slack's lasts, until all pages are out; gives what the timelines say of them."""
    wait_for(lambda: all(delivered(bot, number) for number in numbers), SOON, "the pages")
    for number in numbers:
        (text,) = delivered(bot, number)
        assert text.startswith(f"Page delivered to {names}"), text


def members(workspace: Workspace, number: str) -> set[str]:
    channel = workspace.channel(room_of(workspace, number))
    return {workspace.user(m).name for m in channel.members} - {"sitrep"}


def harm(workspace: Workspace, kind: Kind) -> None:
    for method in (*LOOK_UPS, "users.list", "usergroups.users.list"):
        workspace.faults.add(Fault(method, kind, times=None, retry_after=60))


@both_databases
@pytest.mark.usefixtures("known")
def test_twelve_incidents_at_once_page_without_a_look_up(bot: Client, workspace: Workspace) -> None:
    """Under Slack's limits every first page is out within seconds, and asks Slack for nobody."""
    before = sum(call.method in LOOK_UPS for call in workspace.calls)
    numbers = fire(bot)
    wait_paged(bot, numbers, "alice, charlie, bob")
    assert sum(call.method in LOOK_UPS for call in workspace.calls) == before
    assert all(members(workspace, number) == {"alice", "bob", "charlie"} for number in numbers)
    group = next(iter(workspace.usergroups))
    for number in numbers:
        assert workspace.find(room_of(workspace, number), f"<!subteam^{group}>")
    assert workspace.tiers is not None
    assert not LOOK_UPS & set(workspace.tiers.refused)


@both_databases
@pytest.mark.parametrize("kind", ["ratelimited", "http500", "html"])
@pytest.mark.usefixtures("known")
def test_the_last_answer_counts_while_slack_fails(
    bot: Client, service: InProcess, slack: SandboxServer, workspace: Workspace, kind: Kind
) -> None:
    """After a restart, with every look-up refused, twelve incidents page those whom Slack named before."""
    service.stop()
    harm(workspace, kind)
    service.start()
    slack.bot_url = service.url
    wait_paged(bot, fire(bot), "alice, charlie, bob")


@pytest.mark.usefixtures("known")
def test_an_old_answer_says_how_old_it_is(bot: Client, workspace: Workspace, hands: Hands) -> None:
    """Slack has not answered for hours: whoever was in the group then is paged, and the timeline says so."""
    harm(workspace, "http500")
    hands.advance(minutes=90)
    (number, *_) = fire(bot)
    text = wait_for(lambda: delivered(bot, number), SOON, "the page")[0]
    assert "@sre: its members as of" in text
    assert "Slack has not answered since" in text


@pytest.mark.usefixtures("known")
def test_who_has_left_the_group_is_paged_no_more(bot: Client, world: World, workspace: Workspace, hands: Hands) -> None:
    """A minute-old roster is asked for again: the one who left is neither invited nor counted, the new one is."""
    next(iter(workspace.usergroups.values())).users[:] = [workspace.user("charlie").id, workspace.user("dana").id]
    hands.advance(REFRESHED)
    roster = "SELECT users FROM slack_names WHERE spec = '@sre'"
    wait_for(lambda: workspace.user("dana").id in str(world.rows(roster)), what="the refresh")
    (number, *_) = fire(bot)
    wait_for(lambda: delivered(bot, number), SOON, "the page")
    assert members(workspace, number) == {"bob", "charlie", "dana"}


@pytest.mark.usefixtures("known")
def test_who_is_deactivated_is_dropped_and_told(bot: Client, world: World, workspace: Workspace, hands: Hands) -> None:
    """Accounts that are deactivated reach nobody: out of a group they go quietly, a configured name is told once."""
    for name in ("alice", "bob"):
        workspace.user(name).deleted = True
    hands.advance(minutes=180)
    wait_for(lambda: len(world.rows("SELECT 1 FROM slack_names WHERE error <> ''")) == 2, what="both refreshes")
    (number, *_) = fire(bot)
    text = wait_for(lambda: delivered(bot, number), SOON, "the page")[0]
    assert text.startswith("Page delivered to charlie. bob@example.com: there is no such person")
    assert members(workspace, number) == {"charlie"}
    told = [m.text for m in workspace.messages("ops-alerts") if "Cannot page" in m.text]
    assert len(told) == 1
    assert "bob@example.com" in told[0]


@pytest.mark.usefixtures("known")
def test_a_renamed_group_is_paged_and_said(bot: Client, world: World, workspace: Workspace, hands: Hands) -> None:
    """A group keeps its id: its members are paged, and the page says which name to correct."""
    next(iter(workspace.usergroups.values())).handle = "platform-sre"
    hands.advance(REFRESHED)
    wait_for(lambda: "platform-sre" in str(world.rows("SELECT name FROM slack_names")), what="the refresh")
    (number, *_) = fire(bot)
    text = wait_for(lambda: delivered(bot, number), SOON, "the page")[0]
    assert text.startswith("Page delivered to alice, charlie, bob. @sre is called @platform-sre in Slack now")


def test_a_name_that_was_never_answered_for_holds_nobody_up(
    bot: Client, service: InProcess, slack: SandboxServer, world: World, workspace: Workspace
) -> None:
    """Slack hangs on the group: the page waits some seconds at most, reaches the others, and says who is missing."""
    wait_known(world, 5)
    service.stop()
    world.execute("DELETE FROM slack_names WHERE spec = '@sre'")
    workspace.faults.add(Fault("usergroups.list", "hang", times=None, seconds=WINDOW))
    service.start()
    slack.bot_url = service.url
    begun = time.monotonic()
    (number, *_) = fire(bot)
    text = wait_for(lambda: delivered(bot, number), 4 * LOOK_UP_WITHIN, "the page")[0]
    assert text.startswith("Page delivered to bob. @sre: Slack has not answered yet who that is")
    assert time.monotonic() - begun < WINDOW


def test_a_level_of_which_nobody_is_known_passes_on(
    bot: Client, service: InProcess, slack: SandboxServer, world: World, workspace: Workspace, hands: Hands
) -> None:
    """Slack answers for nobody of the first level: after a minute of asking again the next level is paged."""
    wait_known(world, 5)
    service.stop()
    world.execute("DELETE FROM slack_names WHERE spec <> 'dana@example.com'")
    harm(workspace, "http500")
    service.start()
    slack.bot_url = service.url
    (number, *_) = fire(bot)

    def passed_on() -> bool:
        hands.advance(10)
        return "escalated" in bot.kinds(number)

    wait_for(passed_on, what="the next level")
    assert hands.offset < 300, "the ladder's own moment has not come"
    wait_for(lambda: delivered(bot, number), SOON, "the page")
    assert delivered(bot, number) == ["Page delivered to dana"]


def test_a_name_that_slack_does_not_know_is_told_at_start(
    environ: dict[str, str], request: pytest.FixtureRequest
) -> None:
    """A slip in the ladder is said before it matters: once, in the operators' channel, with the key to correct."""
    Path(environ["SITREP_CONFIG"]).write_text(LADDER.replace("dana@", "dona@").replace("@sre", "@sree"))
    bot: Client = request.getfixturevalue("bot")

    def told() -> list[str]:
        return sorted(m.text for m in bot.workspace.messages("ops-alerts") if "Cannot page" in m.text)

    group, person = wait_for(lambda: told() if len(told()) == 2 else [], what="both messages")
    assert "@sree: there is no such user group. Create the user group @sree" in group
    assert "dona@example.com: there is no such person" in person
    assert "SITREP_CONFIG" in person


def kept_calls(workspace: Workspace) -> Callable[[], list[str]]:
    return lambda: [call.method for call in workspace.calls if call.method in LOOK_UPS]


@pytest.mark.usefixtures("known")
def test_a_restart_asks_for_nobody_that_is_known(
    bot: Client, service: InProcess, slack: SandboxServer, workspace: Workspace
) -> None:
    """What was answered minutes ago is not asked for again because a process starts."""
    before = kept_calls(workspace)()
    service.stop()
    service.start()
    slack.bot_url = service.url
    wait_paged(bot, fire(bot), "alice, charlie, bob")
    assert kept_calls(workspace)() == before


# -- channels -------------------------------------------------------------------------------------------------------

THREADS = (
    LADDER
    + """
slack: {alerts_channel: late-alerts}
severities: {sev3: {ladder: default}}
"""
)


@pytest.fixture
def many(environ: dict[str, str], workspace: Workspace) -> None:
    """Have more channels than one listing shows, the alerts channel last."""
    Path(environ["SITREP_CONFIG"]).write_text(THREADS)
    workspace.tiers = None  # what all post in one channel has a limit of its own
    for n in range(MOST):
        workspace.add_channel(f"room-{n}")
    workspace.add_channel("late-alerts", members=[workspace.bot.id, workspace.user("alice").id])


def threads(bot: Client, number: int) -> None:
    """Declare that many incidents in threads of the alerts channel, and wait until their pages are out."""
    numbers = [
        next(word for word in bot.slash(f"declare Slow {n} sev3").split() if word.startswith("INC-"))
        for n in range(number)
    ]
    wait_paged(bot, numbers, "alice, charlie, bob")


def listings(workspace: Workspace) -> list[str]:
    return [str(call.args.get("cursor") or "") for call in workspace.calls if call.method == "conversations.list"]


@pytest.mark.usefixtures("many", "known")
def test_channels_are_listed_once_for_all_that_ask(
    bot: Client, service: InProcess, slack: SandboxServer, workspace: Workspace
) -> None:
    """Twelve incidents at once need the same channel: one listing; after a restart none, for its id is kept."""
    workspace.latency_by_method["conversations.list"] = 0.2
    threads(bot, AT_ONCE)
    assert len(listings(workspace)) == 2
    service.stop()
    service.start()
    slack.bot_url = service.url
    threads(bot, 1)
    assert len(listings(workspace)) == 2


@pytest.mark.usefixtures("many", "known")
def test_a_listing_that_was_limited_goes_on_where_it_was(bot: Client, workspace: Workspace, hands: Hands) -> None:
    """Begun anew each time, the listing of a large workspace would never end under Slack's limit."""
    workspace.faults.add(Fault("conversations.list", "ratelimited", after=1, retry_after=2))
    threads(bot, 1)
    first, refused, again = listings(workspace)
    assert first == ""
    assert refused == again != ""


@pytest.mark.usefixtures("many", "known")
def test_a_channel_that_was_archived_is_looked_up_anew(
    bot: Client, workspace: Workspace, service: InProcess, slack: SandboxServer
) -> None:
    """Somebody archives the alerts channel and makes a new one of that name: one failure, then the new one is used."""
    threads(bot, 1)
    old = workspace.channel("late-alerts")
    old.archived, old.name = True, "late-alerts-old"
    workspace.add_channel("late-alerts", members=[workspace.bot.id, workspace.user("alice").id])
    number = next(word for word in bot.slash("declare Lost sev3").split() if word.startswith("INC-"))
    wait_for(lambda: "delivery_failed" in bot.kinds(number), what="the failure")
    threads(bot, 1)
