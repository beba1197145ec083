"""What becomes of channels: archived, renamed, left, deleted; each with Slack's event, and errors for the bot."""

from __future__ import annotations

import pytest

from bot.sandbox import rooms
from bot.sandbox.model import Json, SlackError
from bot.sandbox.workspace import Workspace


@pytest.mark.parametrize(("private", "kind"), [(False, "channel"), (True, "group")])
def test_each_change_is_told(private: bool, kind: str) -> None:
    """Private channels have events of their own; a rename names the channel in an object."""
    workspace, told = Workspace.demo(), list[Json]()
    room = workspace.add_channel("war-room", private=private, members=[workspace.bot.id, "alice"])
    workspace.event_sink = told.append
    rooms.archive(workspace, room.id, "alice")
    rooms.unarchive(workspace, room.id, "alice")
    rooms.rename(workspace, room.id, "peace-room", "alice")
    rooms.leave(workspace, room.id, workspace.bot.id, by="alice")
    rooms.leave(workspace, room.id, "alice")
    rooms.delete(workspace, room.id, "bob")
    assert [event["type"] for event in told] == [
        f"{kind}_archive",
        f"{kind}_unarchive",
        f"{kind}_rename",
        f"{kind}_left",
        "member_left_channel",
        f"{kind}_deleted",
    ]
    assert (told[2]["channel"]["id"], told[2]["channel"]["name"]) == (room.id, "peace-room")
    assert room.id not in workspace.channels


def test_what_is_so_already_is_refused() -> None:
    """Archived twice, brought back twice; whoever is not in a channel cannot leave it."""
    workspace = Workspace.demo()
    rooms.archive(workspace, "incidents", "alice")
    with pytest.raises(SlackError, match="already_archived"):
        rooms.archive(workspace, "incidents", "alice")
    rooms.unarchive(workspace, "incidents", "alice")
    with pytest.raises(SlackError, match="not_archived"):
        rooms.unarchive(workspace, "incidents", "alice")
    assert rooms.leave(workspace, "general", workspace.bot.id) is False
