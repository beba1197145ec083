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
from bot.incidents.rooms import PATTERN, PREFIX
from bot.slack.rooms import name_of
from handlers.slack import grammar

START = "incident-20261121-001"
INCIDENT = Incident("INC-20261121-001", "x", Severity.SEV2, Status.INVESTIGATING, datetime(2026, 11, 21, tzinfo=UTC))


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
        ("x" * 300, f"{START}-{'x' * 30}"),
        ("HighErrorRate on checkout: 5xx above 5%", f"{START}-high-error-rate-on-checkout"),
        ("KubeAPIErrorBudgetBurn", f"{START}-kube-api-error-budget-burn"),
        ("OOMKilled on MySQL, S3Bucket, APIs, iPhone", f"{START}-oom-killed-on-mysql-s3-bucket"),
        ("[FIRING:1] RedisDown cache (redis-0 critical)", f"{START}-redis-down-cache"),
        ("[P2] Customers can't pay, https://status.example.com", f"{START}-customers-cant-pay"),
    ],
)
def test_a_name_says_what_it_is_about(title: str, name: str) -> None:
    """In what Slack takes, as a person would call it; what cannot be written so leaves the number alone."""
    assert name_of(replace(INCIDENT, title=title), PATTERN) == name


@pytest.mark.parametrize(
    ("title", "about"),
    [
        ("TargetDown on checkout: 40 pods", "target-down-on-checkout"),
        ("payments (prod-eu1): latency is at 2 s and rising fast", "payments-prod-eu1"),
        ("Checkout is down, and with it all payments", "checkout-is-down"),
        ("Login down: SSO certificate expired last night", "login-down-sso-certificate"),
        ("Writes fail since the failover of the primary database", "writes-fail-since-the-failover"),
        ("All customers in Europe are affected by an outage", "all-customers-in-europe"),
        ("Checkout answers 7.3% of requests with 5xx", "checkout-answers"),
        ("DatabaseConnectionFailures on orders-db: Connections fail", "database-connection-failures"),
        ("High error rate in payment-service-production-eu-west", "high-error-rate"),
        ("KubePersistentVolumeFillingUp on mysql-0: 3% left", "kube-persistent-volume-filling"),
    ],
)
def test_a_long_title_is_cut_where_it_means_something(title: str, about: str) -> None:
    """After one of its parts, else after a word: no `of`, no number and no half of a name is left at the end."""
    assert name_of(replace(INCIDENT, title=title), PATTERN) == f"{START}-{about}"


def test_what_else_a_pattern_may_say() -> None:
    """The plain name, the service, words of one's own; a private incident's name says nothing."""
    incident = replace(INCIDENT, title="数据库", service="Check out")
    assert name_of(incident, PREFIX) == START
    assert name_of(incident, PATTERN) == f"{START}-check-out"
    assert name_of(incident, "{prefix}-war-{service}_{title}") == f"{START}-war-check-out"
    assert name_of(replace(incident, title="Laptop gone", private=True), PATTERN) == START


@given(st.text(), st.text(), st.sampled_from([PATTERN, "{prefix}-{service}_{title}-", "{prefix}-" + "x" * 90]))
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
        ("{prefix}{about}", "put a hyphen after {prefix}"),
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
