"""What an incident's channel is called."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config import load_config
from bot.errors import ConfigError
from bot.incidents.model import Incident, Status
from bot.incidents.policy import Severity
from bot.incidents.rooms import PREFIX
from bot.slack.rooms import name_of
from handlers.slack import grammar

START = "incident-20261121-001"
INCIDENT = Incident("INC-20261121-001", "x", Severity.SEV2, Status.INVESTIGATING, datetime(2026, 11, 21, tzinfo=UTC))
ABOUT = "{prefix}-{about}"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Checkout errors", f"{START}-checkout-errors"),
        ("  <!channel> *Checkout* & Pay: 5%?! ", f"{START}-channel-checkout-pay-5"),
        ("Störung in Düsseldorf, Straße", f"{START}-storung-in-dusseldorf-strasse"),
        ("Łódź: smørrebrød ﬁre", f"{START}-lodz-smorrebrod-fire"),
        ("İstanbul", f"{START}-istanbul"),
        ("[TEST] Failover drill", f"{START}-test-failover-drill"),
        ("数据库 db 故障", f"{START}-db"),
        ("数据库故障", START),
        ("🔥🔥", START),
        ("\u200b - ", START),
        ("Writes fail since the failover of the primary database", f"{START}-writes-fail-since-the-failover-of-the"),
        ("x" * 300, f"{START}-{'x' * 40}"),
    ],
)
def test_a_name_says_what_it_is_about(title: str, name: str) -> None:
    """In what Slack takes, cut between words; what cannot be written so leaves the number alone."""
    assert name_of(replace(INCIDENT, title=title), ABOUT) == name


def test_what_else_a_pattern_may_say() -> None:
    """The plain name, the service, words of one's own; a private incident's name says nothing."""
    incident = replace(INCIDENT, title="数据库", service="Check out")
    assert name_of(incident, PREFIX) == START
    assert name_of(incident, ABOUT) == f"{START}-check-out"
    assert name_of(incident, "{prefix}-war-{service}_{title}") == f"{START}-war-check-out"
    assert name_of(replace(incident, title="Laptop gone", private=True), ABOUT) == START


@given(st.text(), st.text(), st.sampled_from([ABOUT, "{prefix}-{service}_{title}-", "{prefix}-" + "x" * 90]))
def test_every_name_is_slack_s(title: str, service: str, pattern: str) -> None:
    """Lower case letters, digits, - and _, with room for a suffix; the number is still read from it."""
    name = name_of(replace(INCIDENT, title=title, service=service), pattern)
    assert re.fullmatch(r"[a-z0-9_-]{21,76}", name)
    assert name.startswith(START)
    assert grammar.take_incident(f"#{name} ack")[0] == INCIDENT.number


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("{about}", "begin the pattern with {prefix}"),
        ("incident-{about}", "begin the pattern with {prefix}"),
        ("{prefix}-{abuot}", "known: {prefix}, {about}"),
        ("{prefix}-{about", "fix the braces"),
        ("{prefix}-{about!r}", "as written"),
        ("{prefix}-War Room", "lower case letters"),
        ("{prefix}-{}", "known: {prefix}, {about}"),
        ("{prefix}{about}", "put - behind {prefix}"),
        ("", "begin the pattern with {prefix}"),
    ],
)
def test_a_pattern_that_gives_no_names_is_refused(tmp_path: Path, pattern: str, words: str) -> None:
    """At start, with the fix."""
    path = tmp_path / "sitrep.yaml"
    path.write_text(f'slack: {{channel_name: "{pattern}"}}')
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert "slack.channel_name" in str(caught.value)
    assert words in str(caught.value)
