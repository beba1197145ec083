"""One name for everyone whom a text mentions, as far as Slack tells it in time."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from bot.errors import Permanent, Retryable
from bot.slack import members as module
from bot.slack.gateway import Gateway
from bot.slack.members import Members


class Slack:
    """Answers as Slack does, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fault: Exception | None = None
        self.takes = 0.0

    async def call(self, method: str, **args: Any) -> dict[str, Any]:
        self.asked.append(f"{method} {' '.join(map(str, args.values()))}".strip())
        await asyncio.sleep(self.takes)
        if self.fault:
            raise self.fault
        if method == "users.info":
            if args["user"] == "U404":
                raise Permanent("user_not_found", "")
            return {"user": {"id": args["user"], "name": "ann", "profile": {"display_name": "Ann Lee"}}}
        if method == "usergroups.list":
            return {"usergroups": [{"id": "S1", "handle": "db-team"}, {"id": "S2", "handle": "web"}]}
        channels = {"C1": {"name": "ops"}, "C2": {"name": "secret", "is_private": True}}
        if args["channel"] not in channels:
            raise Permanent("channel_not_found", "")
        return {"channel": channels[args["channel"]]}


@pytest.fixture
def slack() -> Slack:
    return Slack()


@pytest.fixture
def members(slack: Slack) -> Members:
    return Members(cast("Gateway", slack))


def names(members: Members, *ids: str) -> list[str]:
    return [members.name_of(each) for each in ids]


def test_everyone_mentioned_is_asked_for_once(slack: Slack, members: Members) -> None:
    """People, channels and groups; what is known, or has a label of a channel or group, is not asked for."""
    text = "<@U1> <@U1|ann> <#C1> <#C3|sre> <!subteam^S1> <!subteam^S2> <!subteam^S3|@x> <!here> <https://x|C9>"
    asyncio.run(members.learn(text, "<#C1|>"))
    assert sorted(slack.asked) == ["conversations.info C1", "usergroups.list", "users.info U1"]
    assert names(members, "U1", "C1", "S1", "S2", "C3") == ["Ann Lee", "ops", "db-team", "web", "C3"]
    asyncio.run(members.learn(text))
    assert len(slack.asked) == 3


def test_what_slack_does_not_know_is_not_asked_for_again(slack: Slack, members: Members) -> None:
    """It is shown by its id, and a private channel by no name at all."""
    for _ in range(2):
        asyncio.run(members.learn("<@U404> <#C404> <!subteam^S404> <#C2>"))
    assert len(slack.asked) == 4
    assert names(members, "U404", "C404", "S404", "C2") == ["U404", "C404", "S404", "private-channel"]


@pytest.mark.parametrize("fault", [Retryable("slack_throttled"), None])
def test_slack_that_does_not_answer_holds_nobody_up(
    slack: Slack, members: Members, monkeypatch: pytest.MonkeyPatch, fault: Exception | None
) -> None:
    """Whatever is known is used, Slack is left alone for a while, and asked again later."""
    monkeypatch.setattr(module, "NAMED_WITHIN", 0.05)
    slack.fault, slack.takes = fault, 0.0 if fault else 5.0
    asyncio.run(members.learn("<@U1> <!subteam^S1>"))
    assert names(members, "U1", "S1") == ["U1", "S1"]
    asyncio.run(members.learn("<@U1>"))
    assert len(slack.asked) == 2
    slack.fault, slack.takes = None, 0.0
    members._no_texts_until = 0.0
    asyncio.run(members.learn("<@U1> <!subteam^S1>"))
    assert names(members, "U1", "S1") == ["Ann Lee", "db-team"]


def test_one_text_asks_for_so_many_names(slack: Slack, members: Members) -> None:
    """A text full of mentions is no storm of calls."""
    asyncio.run(members.learn(" ".join(f"<@U{number}>" for number in range(500))))
    assert len(slack.asked) == module.MOST


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("<@U1|ann> <@U2|bob>", "<@U1> <@U2|bob>"),
        ("<@U1|> and <@U1>", "<@U1> and <@U1>"),
        ("no <#C1|ops> &lt;@U1|x&gt;", "no <#C1|ops> &lt;@U1|x&gt;"),
    ],
)
def test_a_name_that_is_known_comes_before_a_label(members: Members, text: str, kept: str) -> None:
    """A label is a handle of old: one person would have two names."""
    asyncio.run(members.learn("<@U1>"))
    assert members.unlabelled(text) == kept
