"""Fault 15: Slack refuses for good, because of the token, the channel or the message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from bot.sandbox.faults import Fault
from bot.sandbox.workspace import Workspace
from tests.conftest import Client, both_databases, wait_for
from tests.crash.world import QuickProcess, said
from tests.integration.world import World

EDITS = ("identified", "monitoring", "investigating")


def failures(bot: Client, number: str) -> list[dict[str, Any]]:
    return [e["data"] for e in bot.events(number) if e["kind"] in {"delivery_failed", "page_failed"}]


def edit(bot: Client, world: World, number: str) -> None:
    """Change the card, the announcement and the topic, one change after the other."""
    for status in EDITS:
        bot.slash(f"{number} status {status}")
        world.settle()


CASES: list[tuple[str, str, str, str, str]] = [
    ("conversations.setTopic", "topic", "restricted_action", "settings do not allow it", "Allow the app to do this"),
    ("chat.update", "refresh_card", "cant_update_message", "belongs to another app", "Nothing to do"),
    ("chat.postMessage", "say", "msg_too_long", "msg too long", "See the error in Slack's documentation"),
]


@both_databases
def test_fault_15_what_slack_refuses_for_good_is_told_once(bot: Client, world: World, workspace: Workspace) -> None:
    """It ends that delivery alone: operators and timeline get it once with the fix, and everything else goes on."""
    sound, sound_channel = bot.open_one("declare Login is down sev2")
    for method, kind, reason, words, fix in CASES:
        number, channel = bot.open_one()
        world.settle()
        room = workspace.channel(channel).id

        def there(args: Mapping[str, Any], room: str = room) -> bool:
            return bool(args["channel"] == room)

        workspace.faults.add(Fault(method, "error", error=reason, times=None, where=there))
        edit(bot, world, number)
        (text,) = said(workspace, "ops-alerts", number)
        assert f"the {kind.replace('_', ' ')} of {number}: " in text
        assert words in text
        assert fix in text
        assert reason not in text
        # An edit says once that it fails; each thing that was to be said is lost by itself.
        assert Counter(f["delivery"] for f in failures(bot, number)) == {kind: len(EDITS) if kind == "say" else 1}
        assert all(f["reason"].startswith(reason) and fix in f["fix"] for f in failures(bot, number))
        announcement = workspace.find("incidents", number)
        assert announcement is not None
        assert f"*{EDITS[-1]}*" in str(announcement.blocks)
    edit(bot, world, sound)
    assert failures(bot, sound) == []
    assert said(workspace, "ops-alerts", sound) == []
    assert f"is {EDITS[-1]}" in workspace.pinned(sound_channel)[0].text
    assert said(workspace, sound_channel, "set the status to") == [
        f"<@{workspace.user('alice').id}> set the status to *{status}*." for status in EDITS
    ]


@both_databases
def test_fault_15_a_revoked_token_is_told_once_there_is_another(
    bot: Client, world: World, workspace: Workspace, process: QuickProcess
) -> None:
    """The timeline says what failed; with a new token the operators get one message about it, and Slack goes on."""
    number, channel = bot.open_one()
    other, _ = bot.open_one("declare Login is down sev2")
    world.settle()
    workspace.faults.add(Fault("*", "error", error="token_revoked", times=None))
    for which in (number, other):
        for status in EDITS:
            bot.slash(f"{which} status {status}")
        bot.slash(f"{which} update Look at this")
        wait_for(lambda which=which: len(failures(bot, which)) >= 6, what="the failures")
    calls = len(workspace.calls)
    assert {f["delivery"] for f in failures(bot, number)} >= {"refresh_card", "refresh_announcement", "topic", "update"}
    assert {f["fix"] for f in failures(bot, number)} == {"Reinstall the app and set SLACK_BOT_TOKEN to the new token."}
    assert process.log.read_text().count("delivery_failed")

    workspace.faults.clear()
    workspace.bot_token = process.environ["SLACK_BOT_TOKEN"] = "xoxb-of-the-reinstalled-app"
    process.kill()
    process.wait_dead()
    process.start()
    world.settle()
    (told,) = said(workspace, "ops-alerts", "the bot's token was revoked")
    assert "Reinstall the app and set SLACK_BOT_TOKEN to the new token." in told
    assert "sitrep outbox list" in told
    bot.slash(f"{number} status monitoring")
    world.settle()
    assert "is monitoring" in workspace.pinned(channel)[0].text
    assert len(workspace.calls) > calls
