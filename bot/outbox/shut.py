"""What a call to Slack can find out about the place it goes to: the channel cannot be written, a message is gone."""

from __future__ import annotations

from collections.abc import Sequence

from bot.errors import Permanent
from bot.store.deliveries import Outgoing

# Slack's refusals that concern the whole channel; the last ones only whoever posts.
SHUT = frozenset({"is_archived", "not_in_channel", "channel_not_found"})
NO_POSTING = frozenset(
    {"restricted_action", "restricted_action_read_only_channel", "restricted_action_thread_only_channel"}
)
GONE = "message_not_found"
NO_THREAD = frozenset({"thread_not_found", "message_not_found", "cannot_reply_to_message"})


class ChannelShut(Permanent):
    """The incident's channel cannot be written. What was to be `said` goes on elsewhere; an edit is dropped."""

    def __init__(self, error: Permanent, channel: str, *, said: bool) -> None:
        super().__init__(error.reason, error.fix, error.detail)
        self.channel = channel
        self.said = said


class MessageGone(Permanent):
    """Messages that are edited in place, or replied to, were deleted: `rows` had posted them.

    What was to be `said` under one of them waits until it is there again; an edit is dropped.
    """

    def __init__(self, error: Permanent, rows: Sequence[Outgoing], *, said: bool = False) -> None:
        super().__init__(error.reason, error.fix, error.detail)
        self.rows = tuple(rows)
        self.said = said


def of_channel(error: Permanent, channel: str, home: str, *, said: bool = False) -> Permanent:
    """Return what an error means, where a call went to `channel` and the incident's own is `home`."""
    if channel and channel == home and (error.reason in SHUT or (said and error.reason in NO_POSTING)):
        return ChannelShut(error, channel, said=said)
    return error
