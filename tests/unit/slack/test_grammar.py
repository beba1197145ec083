"""How a line is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.incidents.policy import Severity
from handlers.slack import grammar, table
from handlers.slack.groups import ANYWHERE, GROUPS
from handlers.slack.speech import Where

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("text", "named", "word", "rest"),
    [
        ("", "", "", ""),
        ("ack", "", "ack", ""),
        ("UPDATE  hello  there ", "", "update", "hello  there"),
        ("update\nfirst line\nsecond", "", "update", "first line\nsecond"),
        ("INC-20261121-001 ack", "INC-20261121-001", "ack", ""),
        ("inc-20261121-001 note x", "INC-20261121-001", "note", "x"),
        ("INC-20261121-001", "INC-20261121-001", "", ""),
        ("INC-20261121-001: ack", "INC-20261121-001", "ack", ""),
        ("(INC-20261121-001) ack", "INC-20261121-001", "ack", ""),
        ("`INC-20261121-001` ack", "INC-20261121-001", "ack", ""),
        ("INC\u201120261121\u2011001 ack", "INC-20261121-001", "ack", ""),
        ("\u200bINC-20261121-001 ack", "INC-20261121-001", "ack", ""),
        ("INC 20261121-001 ack", "INC-20261121-001", "ack", ""),
        ("#incident-20261121-001-checkout-errors ack", "INC-20261121-001", "ack", ""),
        ("incident-20261121-001 ack", "INC-20261121-001", "ack", ""),
        ("<#C0123ABC|incident-20261121-001> ack", "C0123ABC", "ack", ""),
        ("<#C0123ABC>: ack", "C0123ABC", "ack", ""),
        ("INC-20261121-0011234 ack", "", "inc-20261121-0011234", "ack"),
        ("ack\u200b", "", "ack", ""),
        ("close", "", "close", ""),
    ],
)
def test_a_line_is_split(text: str, named: str, word: str, rest: str) -> None:
    """An incident may come first, by its number or its channel, as people paste it; then the verb, the rest."""
    line = grammar.read(text)
    assert (line.named, line.word, line.rest) == (named, word, rest)


OWN = {**grammar.NAMES, "p1": Severity.SEV1, "Major outage": Severity.SEV2}


@pytest.mark.parametrize(
    ("text", "title", "severity", "written"),
    [
        ("Checkout is down", "Checkout is down", None, ""),
        ("Checkout is down sev1", "Checkout is down", Severity.SEV1, "sev1"),
        ('"Checkout is down" SEV-2', "Checkout is down", Severity.SEV2, "SEV-2"),
        ('"Checkout is down SEV2"', "Checkout is down", Severity.SEV2, "SEV2"),
        ("\u201cCheckout is down\u201d sev3", "Checkout is down", Severity.SEV3, "sev3"),
        ("sev1 Checkout is down", "Checkout is down", Severity.SEV1, "sev1"),
        ("SEV1: Checkout is down", "Checkout is down", Severity.SEV1, "SEV1"),
        ("Checkout is down, sev1.", "Checkout is down", Severity.SEV1, "sev1"),
        ("Checkout (sev1) is down", "Checkout is down", Severity.SEV1, "sev1"),
        ("Checkout is down [SEV 2]", "Checkout is down", Severity.SEV2, "SEV 2"),
        ("Checkout is down - sev 1!", "Checkout is down", Severity.SEV1, "sev 1"),
        ("Checkout is down sev1?", "Checkout is down", Severity.SEV1, "sev1"),
        ("Checkout is down severity: 2", "Checkout is down", Severity.SEV2, "severity: 2"),
        ("Checkout is down s\u200bev\u20601", "Checkout is down", Severity.SEV1, "s\u200bev\u20601"),
        ("Checkout is down sev\uff11", "Checkout is down", Severity.SEV1, "sev\uff11"),
        ("The sev1 channel is full", "The sev1 channel is full", Severity.SEV1, "sev1"),
        ("SEV1 SEV1 down", "down", Severity.SEV1, "SEV1"),
        ("sev2", "", Severity.SEV2, "sev2"),
        ("(Sev 2)", "", Severity.SEV2, "Sev 2"),
        ("P1 Checkout is down", "Checkout is down", Severity.SEV1, "P1"),
        ("Checkout is down: major outage", "Checkout is down", Severity.SEV2, "major outage"),
        ("it's down", "it's down", None, ""),
        ("cluster7", "cluster7", None, ""),
        ("sev10 is no severity", "sev10 is no severity", None, ""),
        ("sev-1-db is slow", "sev-1-db is slow", None, ""),
        ("#sev1 is noisy", "#sev1 is noisy", None, ""),
        ("p10 latency", "p10 latency", None, ""),
    ],
)
def test_a_title_gives_up_its_severity_and_quotes(
    text: str, title: str, severity: Severity | None, written: str
) -> None:
    """A severity counts wherever it stands and however it is written; at an end or in brackets it leaves the title."""
    read = grammar.titled(text, OWN)
    assert (read.title, read.severity) == (title, severity)
    assert (read.severities[0][1] if read.severities else "") == written


@pytest.mark.parametrize("text", ["Raised from sev3 to sev1", "sev1 or sev2?", "sev4 (SEV 3) slow"])
def test_severities_that_differ_are_asked_about(text: str) -> None:
    """The title stays whole, and the worst of them is the one to begin with."""
    read = grammar.titled(text)
    assert read.is_torn
    assert read.title == text
    assert read.severity is min((s for s, _ in read.severities), key=lambda s: s.value)


@pytest.mark.parametrize(
    ("text", "severity", "why"),
    [
        ("1", Severity.SEV1, ""),
        ("sev2 all customers", Severity.SEV2, "all customers"),
        ("SEV 3: smaller than thought", Severity.SEV3, "smaller than thought"),
        ("to sev1", Severity.SEV1, ""),
        ("to 2, because", Severity.SEV2, "because"),
        ("(sev1)", Severity.SEV1, ""),
        ("1.", Severity.SEV1, ""),
        ("=1", Severity.SEV1, ""),
        ("all regions are down sev1", Severity.SEV1, "all regions are down"),
        ("p1 all customers", Severity.SEV1, "all customers"),
        ("9", None, "9"),
        ("10 users", None, "10 users"),
        ("1st", None, "1st"),
        ("sev1 or sev2", None, "sev1 or sev2"),
        ("", None, ""),
    ],
)
def test_a_severity_and_its_reason(text: str, severity: Severity | None, why: str) -> None:
    """`1`, `sev1`, `to sev 1` and a company's own name are the same; 10 is none, and two are none."""
    assert grammar.severity_and_why(text, OWN) == (severity, why)


@pytest.mark.parametrize(
    ("word", "verb"),
    [
        ("updaet", "update"),
        ("resovle", "resolve"),
        ("acknowlege", "ack"),
        ("lst", "list"),
        ("hand-off", "handoff"),
        ("qqqq", None),
    ],
)
def test_the_nearest_verb_is_offered(word: str, verb: str | None) -> None:
    """A slip of the finger finds its verb."""
    near = table.nearest(word)
    assert (near.name if near else None) == verb


@pytest.mark.parametrize(
    ("text", "rest", "when"),
    [
        ("It began at 03:12", "It began", "03:12"),
        ("It began at 23:50 UTC", "It began", "23:50 UTC"),
        ("It began (at 3:05am)", "It began", "3:05am"),
        ("It began @ 03:12", "It began", "03:12"),
        ("It began at 2026-11-29T03:12Z.", "It began", "2026-11-29T03:12Z"),
        ("5 pods died 10 min ago", "5 pods died", "10 min ago"),
        ("It began half an hour ago", "It began", "half an hour ago"),
        ("Deployed yesterday 02:00", "Deployed", "yesterday 02:00"),
        ("Deployed yesterday at 2am.", "Deployed", "yesterday at 2am."),
        ("Meet at 25:00", "Meet", "25:00"),
        ("It began at 03:12 XYZ", "It began", "03:12 XYZ"),
        ("look at graph 03:12", "look at graph 03:12", ""),
        ("CPU at 95%", "CPU at 95%", ""),
        ("p99 is at 300 ms", "p99 is at 300 ms", ""),
        ("Restarted at 03:12 by hand", "Restarted at 03:12 by hand", ""),
        ("We look at 3 pods", "We look at 3 pods", ""),
    ],
)
def test_a_note_says_when(text: str, rest: str, when: str) -> None:
    """A time at the end, readable or not, is no text; numbers that are no times are."""
    assert grammar.time_at_end(text) == (rest, when)


@pytest.mark.parametrize(
    ("text", "rest", "when"),
    [
        ("Scaled next 30m", "Scaled", "30m"),
        ("Scaled, next in 1 h", "Scaled", "1 h"),
        ("Scaled next 30 min", "Scaled", "30 min"),
        ("Scaled next 1h30m", "Scaled", "1h30m"),
        ("Scaled (next 30m)", "Scaled", "30m"),
        ("Scaled. Next update at 15:30", "Scaled", "15:30"),
        ("Scaled; next: 45 min.", "Scaled", "45 min"),
        ("Scaled next tomorrow", "Scaled", "tomorrow"),
        ("Scaled next 0m", "Scaled", "0m"),
        ("Scaled next 30", "Scaled", "30"),
        ("next 5m", "", "5m"),
        ("the next step is hard", "the next step is hard", ""),
        ("We roll back over the next 30 min", "We roll back over the next 30 min", ""),
        ("Restarting the next 2 pods", "Restarting the next 2 pods", ""),
        ("We go next", "We go next", ""),
    ],
)
def test_an_update_names_its_next(text: str, rest: str, when: str) -> None:
    """Only at the end, and never out of "over the next 30 min"; what is no time is taken to be refused."""
    assert grammar.next_at_end(text) == (rest, when)


@pytest.mark.parametrize(
    ("text", "span", "why"),
    [
        ("30m", "30m", ""),
        ("30 min the restore runs", "30 min", "the restore runs"),
        ("for 1 hour 30 minutes: restore", "1 hour 30 minutes", "restore"),
        ("half an hour, restore", "half an hour", "restore"),
        ("soon restore", "soon", "restore"),
        ("30 restore", "30", "restore"),
    ],
)
def test_a_pause_begins_with_its_span(text: str, span: str, why: str) -> None:
    """However the span is spelled, the reason behind it is whole."""
    assert grammar.span_at_start(text) == (span, why)


@pytest.mark.parametrize(
    ("text", "rest", "who", "due"),
    [
        ("Raise the limit <@U1|ann> 2026-12-01", "Raise the limit", "<@U1|ann>", "2026-12-01"),
        ("Raise the limit @ann by 2026-12-01", "Raise the limit", "@ann", "2026-12-01"),
        ("Raise the limit, @ann, due Friday.", "Raise the limit", "@ann", "Friday"),
        ("Raise the limit by 5 Dec", "Raise the limit", "", "5 Dec"),
        ("Raise the limit 2026-02-30", "Raise the limit", "", "2026-02-30"),
        ("Raise the limit (<@U1>)", "Raise the limit", "<@U1>", ""),
        ("Ask @ann about it", "Ask @ann about it", "", ""),
        ("Write down who is on call", "Write down who is on call", "", ""),
        ("mail ann@example.com", "mail ann@example.com", "", ""),
    ],
)
def test_a_follow_up_has_a_person_and_a_day(text: str, rest: str, who: str, due: str) -> None:
    """Both at the end; neither is needed."""
    typed, day = grammar.due_at_end(text)
    assert (*grammar.person_at_end(typed), day) == (rest, who, due)


@pytest.mark.parametrize(
    ("text", "names", "rest"),
    [
        ("<@U1>", ["<@U1>"], ""),
        ("<@U1>, db is yours", ["<@U1>"], "db is yours"),
        ("<@U1>: db", ["<@U1>"], "db"),
        ("<@U1> and <@U2>", ["<@U1>", "<@U2>"], ""),
        ("@ann, @bob & @charlie", ["@ann", "@bob", "@charlie"], ""),
        ("<@U1>,<@U2>", ["<@U1>", "<@U2>"], ""),
        ("to <@U1>", ["<@U1>"], ""),
        ("(<@U1|ann>)", ["<@U1|ann>"], ""),
        ("@ann.", ["@ann"], ""),
        ("@ann's database", ["@ann"], "database"),
        ("<!subteam^S1> now", ["<!subteam^S1>"], "now"),
        ("@ann @bob", ["@ann", "@bob"], ""),
        ("@ann @bob says it is the cache", ["@ann"], "@bob says it is the cache"),
        ("checkout api down", [], "checkout api down"),
    ],
)
def test_people_are_read_with_what_stands_around_them(text: str, names: list[str], rest: str) -> None:
    """Commas, colons, brackets, `to`, `and`; whoever a reason only mentions is not paged."""
    assert grammar.people_at_start(text) == (names, rest)


def test_slacks_escapes_are_undone() -> None:
    """What was typed is what is kept: names for mentions, addresses for links, the three characters themselves."""
    typed = "<@U1|ann> and <@U2> in <#C1|ops> see <https://x.example/a|x> &lt;b&gt; &amp; <!here>"
    assert (
        grammar.plain(typed, {"U2": "bob"}.__getitem__) == "@ann and @bob in #ops see https://x.example/a <b> & @here"
    )


NAMES = {"U1": "Ann Lee", "C1": "ops", "S1": "db-team", "U9": "<!here> &lt;b&gt;"}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("<@U1> <@W7> <@U1|>", "@Ann Lee @W7 @Ann Lee"),
        ("<@U7|ann>, <@U7|>", "@ann, @U7"),
        ("<@U9>", "@<!here> &lt;b&gt;"),
        ("<#C1> <#C1|> <#C1|#ops-2> <#C7>", "#ops #ops #ops-2 #C7"),
        ("<!subteam^S1> <!subteam^S1|@dba> <!subteam^S7|>", "@db-team @dba @S7"),
        (
            "<!here> <!channel|channel> <!everyone|x> <!of|tomorrow> <!today>",
            "@here @channel @everyone tomorrow @today",
        ),
        ("<!date^1763712000^{date} {time}^https://x.example|21 Nov, 08:00>", "21 Nov, 08:00"),
        (
            "<!date^1763712000^{time}> <!date^x^{time}> <!date^99999999999999^>",
            "2025-11-21 08:00 UTC an unknown date an unknown date",
        ),
        ("<https://x.example/?a=1&amp;b=(2)>", "https://x.example/?a=1&b=(2)"),
        ("<https://x.example/a|the log>", "https://x.example/a"),
        ("<http://db-1.example.com|db-1.example.com>", "db-1.example.com"),
        ("<mailto:ann@example.com|ann@example.com> <tel:+15550100|+15550100>", "ann@example.com +15550100"),
        ("&lt;script&gt; &amp;lt; <3 <> < <@> <!> <javascript>", "<script> &lt; <3 <> < <@> <!> <javascript>"),
        ("<@U1\n|x>", "@x"),
    ],
)
def test_mentions_are_names(typed: str, meant: str) -> None:
    """Of people, channels, groups and moments; what is no escape of Slack's stays, and no name is read again."""
    assert grammar.plain(typed, lambda each: NAMES.get(each, each)) == meant


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("<https://x.example/a?b&amp;c|the &lt;log&gt;>", "the <log> (https://x.example/a?b&c)"),
        ("<https://x.example|https://x.example>", "https://x.example"),
        ("<https://x.example/|x.example/> <https://x.example|>", "x.example/ https://x.example"),
        ("<mailto:ann@example.com|Ann>", "Ann (mailto:ann@example.com)"),
    ],
)
def test_a_message_keeps_what_its_links_are_called(typed: str, meant: str) -> None:
    """Both the words and the address are part of what was said."""
    assert grammar.plain(typed, str, labels=True) == meant


def test_every_verb_is_in_the_help_and_in_the_docs() -> None:
    """Both are made from the table; what an example shows is what the verb takes."""
    shown, docs = table.help_text("/incident"), (ROOT / "docs" / "commands.md").read_text()
    for verb in table.VERBS:
        assert f"/incident {verb.name}" in shown
        assert verb.help in shown
        assert table.find(grammar.read(verb.example).word) is verb
        assert verb.name in table.help_of(verb, "/incident")
    assert table.as_markdown() in docs


def test_every_verb_has_one_group() -> None:
    """The menu and the help lose none and show none twice; what needs an incident is offered for one."""
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted([*grouped, *ANYWHERE]) == sorted(verb.name for verb in table.VERBS)
    assert {table.BY_NAME[name].where for name in grouped} == {Where.INCIDENT}
    assert {table.BY_NAME[name].where for name in ANYWHERE} == {Where.ANYWHERE}


def test_no_two_verbs_share_a_name() -> None:
    """A word means one thing."""
    names = [name for verb in table.VERBS for name in (verb.name, *verb.aliases)]
    assert len(names) == len(set(names))
