"""Which scope each Web API method asks for, as its page at https://api.slack.com/methods says."""

from bot.sandbox.args import Args
from bot.sandbox.model import Json, SlackError
from bot.sandbox.workspace import Workspace

# A kind's word in the scopes of `conversations.*`, and its scope to change one.
_KINDS = {"public_channel": ("channels", "channels:manage"), "private_channel": ("groups", "groups:write")}
_READ = frozenset({"conversations.info", "conversations.members"})
_HISTORY = frozenset({"conversations.history", "conversations.replies"})
_FIXED = {
    "conversations.join": "channels:join",
    "conversations.open": "im:write",
    "chat.postMessage": "chat:write",
    "chat.postEphemeral": "chat:write",
    "chat.update": "chat:write",
    "chat.delete": "chat:write",
    "reactions.add": "reactions:write",
    "reactions.remove": "reactions:write",
    "pins.add": "pins:write",
    "pins.remove": "pins:write",
    "pins.list": "pins:read",
    "bookmarks.add": "bookmarks:write",
    "bookmarks.list": "bookmarks:read",
    "users.list": "users:read",
    "users.info": "users:read",
    "users.lookupByEmail": "users:read.email",
    "usergroups.list": "usergroups:read",
    "usergroups.users.list": "usergroups:read",
    "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
    "files.info": "files:read",
}


def check(workspace: Workspace, method: str, values: Json) -> None:
    """Raise SlackError `missing_scope`, with what is needed and what is there, unless the app may call this."""
    lacking = [scope for scope in needed(workspace, method, values) if scope not in workspace.scopes]
    if lacking:
        raise SlackError("missing_scope", needed=lacking[0], provided=",".join(workspace.scopes))


def needed(workspace: Workspace, method: str, values: Json) -> list[str]:
    """Give the scopes that a call asks for."""
    if scope := _FIXED.get(method):
        return [scope]
    if method == "conversations.list":
        types = Args(workspace, values).listed("types") or ["public_channel"]
        return [f"{_KINDS[kind][0] if kind in _KINDS else kind}:read" for kind in types]
    if method == "conversations.create":
        return [_KINDS["private_channel" if Args(workspace, values).flag("is_private") else "public_channel"][1]]
    if not method.startswith("conversations."):
        return []
    channel = workspace.channels.get(str(values.get("channel") or ""))
    if channel is None:
        return []  # the method itself says what is wrong
    word, change = ("im", "im:write") if channel.is_im else _KINDS[_kind(private=channel.is_private)]
    if method in _READ:
        return [f"{word}:read"]
    return [f"{word}:history"] if method in _HISTORY else [change]


def _kind(*, private: bool) -> str:
    return "private_channel" if private else "public_channel"
