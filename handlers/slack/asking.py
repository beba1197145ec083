"""The forms that ask for a verb's arguments, and the menu of all verbs for where no line can be typed: in a thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.incidents.model import Incident
from bot.incidents.moving import goes_on
from bot.slack import blocks as b
from bot.slack import forms, menu
from bot.slack.leftovers import left_open
from bot.slack.modals import OPTION, named
from bot.slack.mrkdwn import esc
from bot.text import clip
from handlers.slack import table
from handlers.slack.answers import Answer, Form, Reply
from handlers.slack.context import Asked
from handlers.slack.groups import GROUPS
from handlers.slack.speech import Field, Mistake, Spoken, Verb


async def do(verb: Verb, spoken: Spoken) -> Answer:
    """Do what a verb says, or ask for what it needs.

    Raises:
        Mistake, Refused: it does not fit.
    """
    if verb.form and spoken.incident is not None and spoken.rest.casefold() in verb.asks:
        return await form_of(verb, spoken)
    return with_place(await verb.handler(spoken), spoken.incident)


def with_place(said: Answer, incident: Incident | None) -> Answer:
    """Add to an answer where an incident goes on whose channel cannot be written."""
    if incident is None or isinstance(said, Form) or not (where := goes_on(incident)):
        return said
    if isinstance(said, Reply):
        return Reply(f"{said.text}\n{esc(where)}", [*said.blocks, b.context(f":warning: {esc(where)}")])
    return f"{said}\n:warning: {esc(where)}"


async def form_of(verb: Verb, spoken: Spoken) -> Form:
    """Make the form that asks for a verb's arguments.

    Raises:
        Mistake: there is nothing to choose from.
    """
    asked, incident = spoken.asked, spoken.subject
    inputs = []
    for each in verb.form:
        options = await _options(each, spoken)
        if each.kind == "service" and not options:
            continue
        made = forms.Input(
            name=each.name,
            label=each.label,
            kind=each.kind,
            optional=each.optional,
            options=options,
            placeholder=each.placeholder,
            initial=each.initial(incident) if each.initial else "",
        )
        inputs.append(made)
    metadata = f"{incident.number}|{verb.name}|{asked.channel}|{asked.thread_ts}"
    left = left_open(await asked.board(incident.number)) if verb.ends else []
    return Form(forms.form(metadata, verb.name, inputs, left))


async def _options(each: Field, spoken: Spoken) -> tuple[tuple[str, str], ...]:
    """Give what can be chosen in a field."""
    if each.kind == "service":
        return tuple((name, name) for name in sorted(spoken.asked.services.settings.config.services))
    if each.kind == "severity":
        means = spoken.subject.policy.means.items()
        return tuple((severity.value[-1], clip(said, OPTION)) for severity, said in means)
    if each.kind != "incident":
        return each.options
    others = [i for i in await spoken.asked.open_incidents() if i.number != spoken.subject.number]
    if not others:
        raise Mistake("No other incident is open.")
    return tuple(named(others))


async def filled_in(asked: Asked, metadata: str, values: Mapping[str, str]) -> tuple[Asked, Answer]:
    """Do what a verb's form says; gives the answer, and where it was asked.

    Raises:
        Mistake, Refused: it does not fit; the form stays open.
    """
    number, name, channel, thread_ts = [*metadata.split("|"), "", "", ""][:4]
    there = replace(asked, channel=channel, thread_ts=thread_ts)
    verb = table.BY_NAME[name]
    spoken = Spoken(there, "", await subject(there, number), verb.name, sure=True)
    rest = " ".join([await _typed(each, values[each.name], spoken) for each in verb.form if values.get(each.name)])
    return there, with_place(await verb.handler(replace(spoken, rest=rest)), spoken.incident)


async def _typed(each: Field, value: str, spoken: Spoken) -> str:
    """Return what would be typed instead of filling a field in.

    Raises:
        Mistake: a time cannot be read.
    """
    if each.kind == "time":
        try:
            value = f"{await spoken.moment(value):%Y-%m-%dT%H:%M:%SZ}"
        except Mistake as error:
            raise Mistake(str(error), each.name) from error
    return f"<@{value}>" if each.kind == "person" else f"{each.before}{value}"


def none_open(asked: Asked) -> str:
    """Say that there is nothing to choose from."""
    return f"No incident is open. Declare one: `{asked.command} declare &lt;title&gt;`."


async def open_menu(asked: Asked, number: str = "") -> Answer:
    """Show all verbs that make sense, for one incident or (without a number) for one of those that are open."""
    metadata = f"{number}|{asked.channel}|{asked.thread_ts}"
    if number:
        incident = await subject(asked, number)
        return Form(menu.menu(metadata, incident, _items(asked, incident), ()))
    found = await asked.open_incidents()
    if not found:
        return none_open(asked)
    return Form(menu.menu(metadata, None, _items(asked, None), found))


async def chosen(asked: Asked, metadata: str, values: Mapping[str, str]) -> tuple[Asked, Answer]:
    """Do the verb that was chosen in the menu, or ask for what it needs; gives the answer, and where it was asked.

    Raises:
        Mistake, Refused: it does not fit; the menu stays open.
    """
    number, channel, thread_ts = [*metadata.split("|"), "", ""][:3]
    there = replace(asked, channel=channel, thread_ts=thread_ts)
    verb = table.find(values.get(menu.VERB, ""))
    if verb is None:
        raise Mistake("Choose what to do.")
    spoken = Spoken(there, "", await subject(there, number or values.get("incident", "")), verb.name)
    asks = verb.form and (not verb.asks or "" in verb.asks)
    return there, await form_of(verb, spoken) if asks else with_place(await verb.handler(spoken), spoken.incident)


async def subject(asked: Asked, number: str) -> Incident:
    """Give the incident of a number that came from a button or a form.

    Raises:
        Mistake: there is none, or none that this person may see.
    """
    incident = await asked.find(number) if number else None
    if incident is None:
        raise Mistake(f"There is no {number[:40] or 'such incident'}. See `{asked.command} list`.")
    return incident


def _items(asked: Asked, incident: Incident | None) -> dict[str, list[menu.Item]]:
    """List the verbs about an incident that make sense in its state, by what people want."""
    return {
        title: [
            menu.Item(verb.name, verb.help, f"{asked.command} {verb.name}")
            for verb in map(table.BY_NAME.__getitem__, names)
            if incident is None or _makes_sense(verb, incident)
        ]
        for title, names in GROUPS.items()
    }


def _makes_sense(verb: Verb, incident: Incident) -> bool:
    return verb.stage.fits(incident) and (verb.when is None or verb.when(incident))
