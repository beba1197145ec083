"""A local stand-in for a Slack workspace: state, Web API, people, a web page, and faults on demand."""

from bot.sandbox.faults import Fault, FaultRegistry
from bot.sandbox.model import Call, Channel, File, Json, Message, SlackError, User, Usergroup, View
from bot.sandbox.people import Reply, Sender
from bot.sandbox.server import SandboxServer
from bot.sandbox.signing import Signing
from bot.sandbox.workspace import Workspace

__all__ = [
    "Call",
    "Channel",
    "Fault",
    "FaultRegistry",
    "File",
    "Json",
    "Message",
    "Reply",
    "SandboxServer",
    "Sender",
    "Signing",
    "SlackError",
    "User",
    "Usergroup",
    "View",
    "Workspace",
]
