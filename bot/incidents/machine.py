"""The decision function: an incident and a command in; the new incident, timeline events and deliveries out.

Pure: no I/O and no clock of its own, so that hours of an incident run in milliseconds in a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from bot.incidents import (
    acts,
    capturing,
    checking,
    ending,
    flagging,
    gathering,
    happenings,
    mitigating,
    moving,
    opening,
    people,
    reopening,
    responding,
    tasks,
)
from bot.incidents import commands as c
from bot.incidents.draft import Draft
from bot.incidents.model import Decision, Incident, Refused
from bot.incidents.policy import Policy


def decide(incident: Incident | None, command: c.Command, policy: Policy, now: datetime) -> Decision:
    """Work out what a command leads to.

    Args:
        incident: the present state; None for `Declare` only.
        command: what is asked or has happened.
        policy: the policy in force, frozen on an incident that opens; an open one keeps its own.
        now: the moment of the decision, aware UTC.

    Raises:
        Refused: the command does not fit the state; the message says what to do instead.
    """
    if isinstance(command, c.Declare):
        return opening.declare(command, policy, now)
    if incident is None:
        raise Refused("no_incident", "Name an incident: begin with its number, INC-YYYYMMDD-NNN.")
    draft = Draft(incident, now)
    _HANDLERS[type(command)](draft, command)
    return draft.done()


_HANDLERS: Mapping[type, Callable[[Draft, Any], None]] = {
    c.AlertsChanged: happenings.alerts_changed,
    c.FiresAgain: happenings.fires_again,
    c.AlertsFlagged: flagging.alerts_flagged,
    c.AlertsConfirmed: flagging.alerts_confirmed,
    c.PostUpdate: responding.post_update,
    c.KeepCadence: responding.keep_cadence,
    c.PauseCadence: responding.pause,
    c.SetStatus: responding.set_status,
    c.SetSeverity: responding.set_severity,
    c.GetsWorse: happenings.gets_worse,
    c.AssignRole: people.assign,
    c.OfferHandoff: people.offer,
    c.AcceptHandoff: people.accept,
    c.DeclineHandoff: people.decline,
    c.Escalate: people.escalate,
    c.PagePeople: people.page,
    c.Subscribe: people.subscribe,
    c.AddTask: tasks.add,
    c.EndTask: tasks.end,
    c.AddFollowUp: tasks.follow_up,
    c.Mitigate: ending.mitigate,
    c.Cancel: ending.cancel,
    c.MergeInto: ending.merge,
    c.MergedFrom: ending.take_in,
    c.OfferMerge: gathering.offer,
    c.SeeStorm: gathering.see,
    c.Gathered: gathering.gathered,
    c.Unmerge: reopening.unmerge,
    c.SplitOff: ending.split_off,
    c.Describe: responding.describe,
    c.BringIn: people.invite,
    c.Acknowledge: responding.acknowledge,
    c.VoidAcknowledgement: happenings.void_acknowledgement,
    c.AnswerAgain: happenings.answer_again,
    c.AddNote: responding.add_note,
    c.CaptureMessage: capturing.capture,
    c.ReleaseMessage: capturing.release,
    c.RewordMessage: capturing.reword,
    c.LoseMessage: capturing.lose,
    c.StartRun: checking.start,
    c.PostRunbook: checking.swap,
    c.FitRunbook: checking.fit,
    c.TickStep: acts.tick,
    c.RanStep: checking.ran,
    c.SkipStep: checking.skip,
    c.UndoStep: checking.undo,
    c.TurnPage: checking.turn,
    c.Intervene: mitigating.intervene,
    c.EndMitigation: mitigating.end,
    c.Resolve: responding.resolve,
    c.Reopen: reopening.reopen,
    c.ComeBack: happenings.come_back,
    c.TimerFired: happenings.timer_fired,
    c.Delivered: happenings.delivered,
    c.DeliveryFailed: happenings.delivery_failed,
    c.PageLost: happenings.page_lost,
    c.Record: happenings.record,
    c.Export: responding.export,
    c.ChannelShut: moving.shut,
    c.ChannelNamed: moving.named,
    c.LookAtChannel: moving.look,
    c.PostAgain: moving.post_again,
    c.Refresh: lambda draft, _command: draft.refresh(),
}
