"""Every verb, declared once: help, suggestions, forms and the docs are made of this table."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from bot.incidents.model import Status
from bot.incidents.policy import DEFAULT_POLICY, Policy
from handlers.slack.groups import ANYWHERE, GROUPS
from handlers.slack.speech import Field, Spoken, Stage, Text, Verb, Where, in_words
from handlers.slack.verbs import opening, people, state, work

NEAR = 0.5  # how alike a word must be to a verb to be taken for it
_WHO = Field("who", "Who?", "person")
_WHY = Field("why", "Why?", "text", optional=True)
_WHOM = Field("who", "Who? Leave empty for yourself", "person", optional=True)
_ROLES = (("tech_lead", "Tech lead"), ("communications", "Communications"), ("scribe", "Scribe"), ("lead", "Lead"))
_FORMATS = (("md", "Markdown, to read"), ("json", "JSON, for programs"), ("csv", "CSV, for a spreadsheet"))
_PLACES = {Stage.ANY: "an incident", Stage.OPEN: "an open incident", Stage.OVER: "one that is over"}


async def show_help(spoken: Spoken) -> str:
    """Show all verbs, or one of them."""
    verb = find(spoken.rest.split(" ")[0].casefold()) if spoken.rest else None
    policy = spoken.asked.policy
    return help_of(verb, spoken.command, policy) if verb else help_text(spoken.command, policy)


VERBS = (
    Verb(
        "declare",
        "<title> [{severities}]",
        "declare an incident; without a title it opens a form",
        opening.declare,
        "declare Checkout fails {sev1}",
        Where.ANYWHERE,
        ("new", "create", "open"),
    ),
    Verb(
        "test",
        "<title> [{severities}]",
        "rehearse an incident; nobody is paged",
        opening.test,
        "test Failover drill",
        Where.ANYWHERE,
        ("drill",),
    ),
    Verb(
        "private",
        "<title> [{severities}]",
        "declare an incident that only invited people see",
        opening.private,
        "private A laptop is gone {sev2}",
        Where.ANYWHERE,
    ),
    Verb("list", "", "list the open incidents", opening.show_open, "list", Where.ANYWHERE),
    Verb(
        "status",
        "[investigating|identified|monitoring|resolved|closed]",
        "set the status; without one it shows the status",
        state.status,
        "status identified",
        form=(
            Field(
                "status",
                "Status",
                options=tuple((name, name.capitalize()) for name in state.STATUSES),
                initial=lambda incident: incident.status.value,
            ),
        ),
        asks=(),
    ),
    Verb(
        "sev",
        "<{levels}> [why]",
        "raise or lower the severity",
        state.severity,
        "sev {level1} all regions are down",
        aliases=("severity",),
        form=(
            Field(
                "severity",
                "Severity",
                "severity",
                initial=lambda incident: incident.severity.value[-1],
            ),
            _WHY,
        ),
        stage=Stage.OPEN,
        text=Text.LATER,
    ),
    Verb(
        "update",
        "<text> [next 30m] | same",
        "post a status update; `same` says no change; without text it opens a form",
        state.update,
        "update The pool is scaled next 30m",
        stage=Stage.OPEN,
        text=Text.ALL,
    ),
    Verb(
        "ack",
        "",
        "acknowledge the page; nobody else is paged",
        state.acknowledge,
        "ack",
        aliases=("acknowledge",),
        stage=Stage.OPEN,
    ),
    Verb(
        "lead",
        "[@who]",
        "take the lead, or give it to someone",
        people.lead,
        "lead @ann",
        form=(_WHOM,),
        asks=(),
        stage=Stage.OPEN,
    ),
    Verb(
        "role",
        "<lead|tech_lead|communications|scribe> [@who]",
        "assign a role, or take it",
        people.role,
        "role scribe @ann",
        form=(Field("role", "Role", options=_ROLES), _WHOM),
        stage=Stage.OPEN,
        text=Text.LATER,
    ),
    Verb(
        "handoff",
        "@who",
        "hand over the lead; the other person must accept",
        people.handoff,
        "handoff @ann",
        form=(_WHO,),
        stage=Stage.OPEN,
    ),
    Verb(
        "accept",
        "",
        "accept the lead that you were offered",
        people.accept,
        "accept",
        stage=Stage.OPEN,
        when=lambda incident: incident.handoff is not None,
    ),
    Verb(
        "decline",
        "[why]",
        "decline the lead that you were offered",
        people.decline,
        "decline I am on a train",
        form=(_WHY,),
        asks=(),
        stage=Stage.OPEN,
        text=Text.ALL,
        when=lambda incident: incident.handoff is not None,
    ),
    Verb(
        "escalate",
        "[why]",
        "page the next level of the ladder now",
        people.escalate,
        "escalate the failover does not help",
        form=(_WHY,),
        asks=(),
        stage=Stage.OPEN,
        text=Text.ALL,
        when=lambda incident: incident.ladder_level < len(incident.rule.ladder),
    ),
    Verb(
        "page",
        "<@who|@group|service> [why]",
        "page someone outside the ladder",
        people.page,
        "page @ann the orders database is down",
        form=(
            Field("who", "Who?", "person", optional=True),
            Field("service", "Or the person on call for", "service", optional=True),
            _WHY,
        ),
        stage=Stage.OPEN,
        text=Text.LATER,
    ),
    Verb("oncall", "[service]", "show who is on call", people.oncall, "oncall", Where.ANYWHERE),
    Verb(
        "invite",
        "@who|@group ...",
        "invite people to the channel",
        people.invite,
        "invite @ann @bob",
        form=(_WHO,),
    ),
    Verb(
        "note",
        "<text> [at 03:12]",
        "add a note to the timeline",
        work.note,
        "note The graph looks fine at 03:12",
        form=(
            Field("text", "What happened?", "text"),
            Field(
                "at",
                "When?",
                "time",
                optional=True,
                before="at ",
                placeholder="03:12 or 10 min ago; leave empty for now",
            ),
        ),
        text=Text.ALL,
    ),
    Verb(
        "task",
        "add <text> [@who] | done <n> | skip <n> [why] | list",
        "add, finish or list tasks",
        work.task,
        "task add Call the provider @ann",
        aliases=("tasks",),
        form=(
            Field("text", "What needs doing?", "text", before="add "),
            Field("who", "Who?", "person", optional=True),
        ),
        asks=("add",),
        text=Text.LATER,
    ),
    Verb(
        "followup",
        "<text> [@who] [2026-12-01]",
        "add a follow-up for after the incident",
        work.follow_up,
        "followup Raise the limit @ann 2026-12-01",
        aliases=("follow-up", "action"),
        form=(
            Field("text", "What is left to do?", "text"),
            Field("who", "Who?", "person", optional=True),
            Field("due", "By when?", "date", optional=True),
        ),
        text=Text.ALL,
    ),
    Verb(
        "runbook",
        "[words]",
        "post the runbook or checklist that matches; without words it posts the current one again",
        work.runbook,
        "runbook redis",
        form=(
            Field("words", "Which runbook? Leave empty to repost the current one", optional=True, placeholder="redis"),
        ),
        asks=(),
        text=Text.LATER,
    ),
    Verb(
        "done",
        "<step> [ran [command]]",
        "tick a step of the runbook; add `ran` if you ran its command as shown, or `ran` and the command you ran",
        work.done,
        "done 3 ran",
        form=(
            Field("step", "Which step?", placeholder="3"),
            Field("command", "Did you run its command?", optional=True, before="ran ", placeholder="as shown"),
        ),
        text=Text.LATER,
        when=lambda incident: incident.run is not None,
    ),
    Verb(
        "mitigate",
        "[text]",
        "mark it mitigated; watch the fix",
        state.mitigate,
        "mitigate Rolled back",
        aliases=("mitigated",),
        form=(Field("text", "What was done?", "text", optional=True),),
        asks=(),
        stage=Stage.OPEN,
        text=Text.ALL,
    ),
    Verb(
        "pause",
        "<30m> [why]",
        "pause the update reminders",
        state.pause,
        "pause 30m the restore runs",
        form=(Field("for", "For how long?", placeholder="30m"), _WHY),
        stage=Stage.OPEN,
        text=Text.LATER,
    ),
    Verb(
        "resolve",
        "[text]",
        "resolve the incident; without text it opens a form",
        state.resolve,
        "resolve Scaled the pool",
        aliases=("resolved",),
        stage=Stage.OPEN,
        text=Text.ALL,
    ),
    Verb(
        "close",
        "",
        "close a resolved incident",
        state.close,
        "close",
        stage=Stage.OVER,
        when=lambda incident: incident.status is Status.RESOLVED,
    ),
    Verb(
        "cancel",
        "[why]",
        "cancel it as a false alarm",
        state.cancel,
        "cancel A test alert",
        form=(_WHY,),
        asks=(),
        stage=Stage.OPEN,
        text=Text.ALL,
        ends=True,
    ),
    Verb(
        "reopen",
        "[why]",
        "reopen the incident",
        state.reopen,
        "reopen It fails again",
        form=(_WHY,),
        asks=(),
        stage=Stage.OVER,
        text=Text.ALL,
        when=lambda incident: incident.status is not Status.MERGED,
    ),
    Verb(
        "merge",
        "INC-...",
        "merge it into another incident; its alerts move there",
        state.merge,
        "merge INC-20261121-001",
        form=(Field("into", "Merge into which incident?", "incident"),),
        stage=Stage.OPEN,
        text=Text.LATER,
        ends=True,
    ),
    Verb(
        "unmerge",
        "[why]",
        "undo the merge; its alerts come back",
        state.unmerge,
        "unmerge Different root cause",
        form=(_WHY,),
        asks=(),
        stage=Stage.OVER,
        text=Text.ALL,
        when=lambda incident: incident.status is Status.MERGED,
    ),
    Verb(
        "summary",
        "<text>",
        "write the summary",
        state.summary,
        "summary Writes fail since the failover",
        form=(Field("text", "What is it about?", "text", initial=lambda incident: incident.summary),),
        text=Text.ALL,
    ),
    Verb(
        "rename",
        "<title>",
        "change the title",
        state.rename,
        "rename Writes fail in eu-1",
        form=(Field("title", "Title", initial=lambda incident: incident.title),),
        text=Text.ALL,
    ),
    Verb("catchup", "", "show what you missed", state.catch_up, "catchup", aliases=("catch-up",)),
    Verb("timeline", "", "show the latest timeline lines", state.timeline, "timeline"),
    Verb(
        "export",
        "[md|json|csv]",
        "share the timeline as a file in the channel",
        state.export,
        "export md",
        form=(Field("format", "Format", options=_FORMATS),),
        asks=(),
    ),
    Verb("subscribe", "", "get each update as a direct message", people.subscribe, "subscribe"),
    Verb("unsubscribe", "", "stop the direct messages", people.unsubscribe, "unsubscribe"),
    Verb("help", "[verb]", "show this help, or help for one verb", show_help, "help update", Where.ANYWHERE, ("?",)),
)
BY_NAME = {name: verb for verb in VERBS for name in (verb.name, *verb.aliases)}


def find(word: str) -> Verb | None:
    """Give the verb of this name."""
    return BY_NAME.get(word)


def nearest(word: str, *, cutoff: float = NEAR) -> Verb | None:
    """Give the verb that was probably meant."""
    near = difflib.get_close_matches(word, [*BY_NAME], n=1, cutoff=cutoff)
    return BY_NAME[near[0]] if near else None


def help_of(verb: Verb, command: str, policy: Policy = DEFAULT_POLICY) -> str:
    """Give the help of one verb."""
    also = f" Also: {', '.join(f'`{alias}`' for alias in verb.aliases)}." if verb.aliases else ""
    example = in_words(verb.example, policy)
    return f"{verb.shown(command, policy)}: {verb.help}. Example: `{command} {example}`.{also}"


def help_text(command: str, policy: Policy = DEFAULT_POLICY) -> str:
    """Return the help of all verbs, by what people want."""
    parts = [_help_of("Anywhere", ANYWHERE, command, policy), "*In an incident's channel, or with its number first*"]
    return "\n".join([*parts, *(_help_of(title, names, command, policy) for title, names in GROUPS.items())])


def _help_of(title: str, names: Iterable[str], command: str, policy: Policy) -> str:
    verbs = (BY_NAME[name] for name in names)
    return "\n".join([f"*{title}*", *(f"{verb.shown(command, policy)}: {verb.help}" for verb in verbs)])


def as_markdown(command: str = "/incident", policy: Policy = DEFAULT_POLICY) -> str:
    """Give the table for the docs."""
    rows = ["| Type | To | Where | Example |", "|---|---|---|---|"]
    for verb in VERBS:
        usage = f"{command} {verb.name} {in_words(verb.usage, policy)}".strip().replace("|", "\\|")
        also = f" (also {', '.join(f'`{alias}`' for alias in verb.aliases)})" if verb.aliases else ""
        where = "anywhere" if verb.where is Where.ANYWHERE else _PLACES[verb.stage]
        rows.append(f"| `{usage}`{also} | {verb.help} | {where} | `{command} {in_words(verb.example, policy)}` |")
    return "\n".join(rows) + "\n"
