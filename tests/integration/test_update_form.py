"""The form of a status update: where it begins, what picking a status changes, what is posted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import LADDER, Client, wait_for


def opened(bot: Client, channel: str, user: str = "bob") -> Any:
    assert bot.people.press(user, channel, bot.workspace.pinned(channel)[0].ts, "incident_update").ok
    return bot.workspace.open_views(user)[-1]


def initial(view: Any) -> dict[str, Any]:
    """Give what the fields hold, by name."""
    held = {}
    for block in view.body["blocks"]:
        if block["type"] == "input":
            element = block["element"]
            chosen = element.get("initial_option", {}).get("value")
            name = block["block_id"].partition(".")[0]
            held[name] = chosen or element.get("initial_value") or element.get("initial_user")
    return held


def unfolded(bot: Client, view: Any, user: str = "bob", **typed: str) -> Any:
    """Show the fields that few updates need."""
    assert bot.people.press_in_view(user, view.id, "update_more", values=typed).ok
    return view


def test_it_asks_for_little_and_shows_the_rest_when_asked(bot: Client) -> None:
    """Title, text, status and next update; what is typed stays when the rest unfolds, and when a status is picked."""
    _, channel = bot.open_one("declare Writes fail sev2")
    view = opened(bot, channel)
    assert [*initial(view)] == ["state", "status", "next"]
    assert "Writes fail" in str(view.body["blocks"][0])
    unfolded(bot, view, state="The pool is empty", next="20m")
    assert [*initial(view)] == ["state", "status", "next", "impact", "action", "owner", "eta"]
    assert (initial(view)["state"], initial(view)["next"]) == ("The pool is empty", "20m")
    bot.people.press_in_view("bob", view.id, "update_status", "identified", values={"action": "Fail over"})
    assert (initial(view)["state"], initial(view)["action"]) == ("The pool is empty", "Fail over")


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"next": "soon"}, "next", "30m"),
        ({"next": "yesterday"}, "next", ""),
        ({"next": "in 3 days"}, "next", "within 24 hours"),
        ({"eta": "when it is done"}, "eta", "unknown"),
        ({"eta": "2026-02-30"}, "eta", "unknown"),
    ],
)
def test_a_time_that_cannot_be_read_is_told_at_its_field(
    bot: Client, typed: dict[str, str], field: str, said: str
) -> None:
    """Nothing is posted, and the form stays open."""
    number, channel = bot.open_one()
    view = unfolded(bot, opened(bot, channel))
    errors = bot.people.submit("bob", view.id, {"state": "Looking"} | typed).json["errors"]
    assert [*errors] == [field]
    assert said in errors[field]
    assert "update_posted" not in bot.kinds(number)


def test_it_begins_as_the_status_asks_for(bot: Client) -> None:
    """Each status has its template, filled in; untouched it is not posted; what somebody has typed stays."""
    number, channel = bot.open_one("declare Writes fail sev2")
    view = opened(bot, channel)
    assert initial(view)["state"] == "Symptom: Writes fail\nHit: nobody knows yet\nLooking at:"
    errors = bot.people.submit("bob", view.id).json["errors"]
    assert "haven't edited the draft" in errors["state"]
    assert bot.people.press_in_view("bob", view.id, "update_status", "identified").ok
    held = initial(view)
    assert (held["status"], held["state"].splitlines()[0]) == ("identified", "Cause:")
    mine = {"state": "The pool is empty"}
    assert bot.people.press_in_view("bob", view.id, "update_status", "monitoring", values=mine).ok
    assert initial(view)["state"] == "The pool is empty"
    assert bot.people.press_in_view("bob", view.id, "update_status", "identified", values={"state": ""}).ok
    assert initial(view)["state"].startswith("Cause:")
    errors = bot.people.submit("bob", view.id).json["errors"]
    assert list(errors) == ["state.identified"]
    assert bot.people.submit("bob", view.id, {"state": "Cause: the pool is empty"}).json == {}
    posted = bot.wait_event(number, "update_posted")
    assert (posted["text"], posted["data"]["status"]) == ("Cause: the pool is empty", "identified")


def test_it_goes_on_from_the_last_one(bot: Client) -> None:
    """What was said, the next step and who does it are there again; another status begins anew."""
    number, channel = bot.open_one()
    dana = bot.workspace.user("dana").id
    said = {
        "state": "Looking",
        "impact": "All of eu-1",
        "action": "Fail over",
        "owner": dana,
        "next": "30m",
        "eta": "tomorrow 15:00 UTC",
    }
    assert bot.people.submit("bob", unfolded(bot, opened(bot, channel)).id, said).json == {}
    data = bot.wait_event(number, "update_posted")["data"]
    assert (data["owner"], data["owner_id"], data["action"]) == ("dana", dana, "Fail over")
    assert data["eta"].endswith(" 15:00 UTC")
    message = wait_for(lambda: bot.workspace.find(channel, "*On it:*"), what="the update")
    assert f"<@{dana}>" in str(message.blocks)
    bot.slash("update same", channel=channel)
    view = opened(bot, channel)
    held = initial(view)
    assert held == {
        "state": "Looking",
        "status": "investigating",
        "impact": "All of eu-1",
        "action": "Fail over",
        "owner": dana,
        "next": None,
        "eta": None,
    }
    bot.people.press_in_view("bob", view.id, "update_status", "monitoring")
    assert initial(view)["state"] == "In place:\nWe watch:\nOver when:"
    assert initial(view)["owner"] == dana


def test_no_change_is_one_press_on_the_card(bot: Client) -> None:
    """Once it is acknowledged and something was said, the card offers it."""
    number, channel = bot.open_one()
    card = bot.workspace.pinned(channel)[0]
    bot.slash("ack", channel=channel)
    bot.slash("update The restore runs", channel=channel)
    wait_for(lambda: "No change, +15 min" in str(card.blocks), what="the button")
    assert bot.people.press("dana", channel, card.ts, "incident_same").ok
    assert bot.wait_event(number, "update_posted", 2)["data"]["no_change"]


class TestAnotherName:
    """Where the slash command has another name."""

    @pytest.fixture
    def environ(self, environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
        config = tmp_path / "sitrep.yaml"
        config.write_text(f"{LADDER}\nslack: {{command: /sitrep}}\n")
        return environ

    def test_every_answer_names_the_command_as_it_is_called(self, bot: Client) -> None:
        """Refusals, mistakes, messages and the API say what can be typed here."""
        lines = ("close", "note  ", "task done 9", "handoff @bob", "invite @bob", "xyzzy", "help note")

        def type_(text: str, channel: str = "general") -> str:
            reply = bot.people.slash("alice", channel, text, "/sitrep")
            return str(reply.json.get("text", ""))

        number = type_("declare Checkout is down sev2").split()[1]
        channel = bot.room(number)
        bot.wait_opened(number)
        said = [type_(line, channel) for line in lines]
        type_("resolve Done", channel)
        said += [type_(line, channel) for line in ("update x", "ack", "sev 1", "role lead")]
        resolution = wait_for(lambda: bot.workspace.find(channel, "is resolved"), what="the resolution")
        assert "`/sitrep close`" not in said  # nothing is answered with a bare line
        assert any("`/sitrep " in text for text in said)
        assert "/incident " not in " ".join(said) + str(resolution.blocks)
