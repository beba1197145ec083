"""Settings are checked at the start, and every error names the key and the fix."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.doctor import integrations, warnings
from bot.durations import parse_duration
from bot.errors import ConfigError
from bot.incidents.intake import PAGERDUTY_RULES, Then
from bot.incidents.policy import Severity
from bot.incidents.storm import FlapPolicy, StormPolicy
from bot.incidents.subject import DEFAULT_SUBJECT_RULES
from bot.settings import is_loopback, load_settings
from bot.store.database import serving

SLACK = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "s"}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith(("SITREP_", "SLACK_", "PAGERDUTY_", "ALERTMANAGER_"))]:
        monkeypatch.delenv(name)


def write(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "sitrep.yaml"
    file.write_text(text)
    monkeypatch.setenv("SITREP_CONFIG", str(file))


def test_with_nothing_set_everything_has_a_default() -> None:
    """The bot starts without any variable or file."""
    settings = load_settings()
    assert settings.database_url == "sqlite:///sitrep.db"
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert not settings.slack_on
    config = settings.config
    assert (config.slack.alerts_channel, config.slack.announcements_channel) == ("ops-alerts", "incidents")
    assert config.slack.operators == "ops-alerts"
    assert config.policy.of(Severity.SEV1).update_every == 900
    assert config.policy.of(Severity.SEV3).update_every is None


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"SLACK_BOT_TOKEN": ""}, ("SLACK_BOT_TOKEN", "set but empty")),
        ({"ALERTMANAGER_WEBHOOK_TOKEN": " "}, ("ALERTMANAGER_WEBHOOK_TOKEN", "set but empty")),
        ({"PAGERDUTY_WEBHOOK_SECRETS": "a,,b"}, ("PAGERDUTY_WEBHOOK_SECRETS", "set but empty")),
        ({"SLACK_BOT_TOKEN": "xoxb-1"}, ("SLACK_SIGNING_SECRET",)),
        ({"SLACK_SIGNING_SECRET": "s"}, ("SLACK_BOT_TOKEN",)),
        ({"SLACK_API_URL": "http://slack.example/api/"}, ("SLACK_API_URL", "https://")),
        ({"PAGERDUTY_API_URL": "ftp://x"}, ("PAGERDUTY_API_URL", "https://")),
        ({"SITREP_HEARTBEAT_URL": "http://beat.example/1"}, ("SITREP_HEARTBEAT_URL", "https://")),
        ({"ALERTMANAGER_API_URL": "https://a.example,http://b.example"}, ("ALERTMANAGER_API_URL", "https://")),
        ({"ALERTMANAGER_API_URL": "https://a.example,"}, ("ALERTMANAGER_API_URL", "https://")),
        ({"ALERTMANAGER_API_URL": "https://"}, ("ALERTMANAGER_API_URL", "https://")),
        ({"SITREP_TEST_CLOCK": "clock"}, ("SITREP_TEST_CLOCK", "loopback")),
        ({"SITREP_API_TOKENS": "boss:abc"}, ("SITREP_API_TOKENS", "viewer")),
        ({"SITREP_API_TOKENS": "abc"}, ("SITREP_API_TOKENS", "role:token")),
        ({"SITREP_PORT": "99999"}, ("SITREP_PORT",)),
        ({"SITREP_PORT": "tcp://10.0.0.7:8080"}, ("SITREP_PORT", "Kubernetes", "enableServiceLinks")),
        ({"SITREP_CONFIG": "/nonexistent.yaml"}, ("SITREP_CONFIG", "no file")),
    ],
)
def test_a_wrong_variable_stops_the_start(
    environ: dict[str, str], words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the variable and what to do."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sitrep.example.com", ("the scheme is missing", "write https://sitrep.example.com")),
        ("sitrep.example.com:8443/", ("the scheme is missing", "write https://sitrep.example.com:8443")),
        ("10.1.2.3/sitrep/", ("the scheme is missing", "write https://10.1.2.3/sitrep")),
        ("localhost:8080", ("the scheme is missing", "write http://localhost:8080")),
        ("//sitrep.example.com", ("it is not a URL", "https://")),
        ("https://sitrep.example.com?x=1", ("? or #", "write https://sitrep.example.com")),
        ("https://sitrep.example.com/sitrep/?", ("? or #", "write https://sitrep.example.com/sitrep")),
        ("https://sitrep.example.com/#top", ("? or #", "write https://sitrep.example.com")),
        ("https://", ("it is not a URL", "https://sitrep.example.com")),
        ("https:/sitrep.example.com", ("it is not a URL", "https://sitrep.example.com")),
        ("https://sitrep example.com", ("it is not a URL", "https://sitrep.example.com")),
        ("https://sitrep.example.com:port", ("it is not a URL", "https://sitrep.example.com")),
        ("https://<host>", ("it is not a URL", "https://sitrep.example.com")),
        ("ftp://sitrep.example.com", ("ftp://", "write https://")),
        ("https://u:p@sitrep.example.com", ("user and the password", "write https://sitrep.example.com")),
    ],
)
def test_a_public_url_that_cannot_begin_a_link_stops_the_start(
    url: str, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal says what is wrong and what to write; a password in it is not repeated."""
    monkeypatch.setenv("SITREP_PUBLIC_URL", url)
    with pytest.raises(ConfigError, match=r"^SITREP_PUBLIC_URL: ") as caught:
        load_settings()
    for word in words:
        assert word in str(caught.value)
    assert "u:p@" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("", ""),
        ("https://sitrep.example.com", "https://sitrep.example.com"),
        (" https://sitrep.example.com/ ", "https://sitrep.example.com"),
        ("https://ops.example.com/sitrep/", "https://ops.example.com/sitrep"),
        ("http://sitrep:8080", "http://sitrep:8080"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("https://wache.bücher.example", "https://wache.bücher.example"),
    ],
)
def test_a_public_url_that_begins_a_link_is_taken(url: str, taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host, a port and a path; the slash at the end is taken off."""
    monkeypatch.setenv("SITREP_PUBLIC_URL", url)
    assert load_settings().public_url == taken


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("slack: {alerts_chanel: x}", ("slack.alerts_chanel", "alerts_channel")),
        ("severitys: {}", ("severitys", "severities")),
        ("severities: {sev1: {updates: 1m}}", ("severities.sev1.updates", "update_every")),
        ("severities: {sev1: {update_every: 15}}", ("update_every", "15m")),
        ("auditor: {flag_after: 10}", ("auditor.flag_after", "10m")),
        ("auditor: {flag: 10m}", ("auditor.flag", "flag_after")),
        ("severities: {sev1: {update_every: 0s}}", ("update_every",)),
        ("severities: {sev1: {ladder: nope}}", ("ladders.nope",)),
        ("ladders: {default: [{after: 5m, nam: x}]}", ("ladders.default.0.nam", "name")),
        ("ladders: {default: [{after: 5m, name: b}, {after: 0s, name: a}]}", ("ladders.default", "order")),
        ("intake: [{matchers: ['severity'], then: declare}]", ("intake rule 1", 'label="value"')),
        ("intake: [{matchers: ['a=~\"(\"'], then: declare}]", ("intake rule 1", "regular expression")),
        ("slack: {command: incident}", ("slack.command",)),
        ("storms: {ovr: 3}", ("storms", "ovr", "over")),
        ("storms: {over: 0}", ("storms.over", "1")),
        ("storms: {over: 3, overall: 2}", ("storms.overall", "storms.over")),
        ("storms: {by: ['a\"b']}", ("storms.by", "service.name")),
        ("severity_words: {page: urgent}", ("severity_words.page", "critical", "urgent")),
        ("facts: {service: ['']}", ("facts.service", "service.name")),
        ("facts: {exporters: ['(x']}", ("facts.exporters", "regular expression")),
        ("facts: {sevice: [app]}", ("facts.sevice", "service")),
        ("flapping: {hold: 15}", ("flapping.hold", "15s")),
        ("- a list", ("keys and values",)),
        ("a: [", ("fix the YAML",)),
        ("slack: {command: /a}\nstorms: {over: 3}\nslack: {command: /b}", ("'slack' is already in line 1", "line 3")),
        ("severities:\n  sev2: {ladder: a}\n  sev2: {update_every: 5m}", ("'sev2' is already in line 2",)),
        ("ladders:\n  x:\n  - {after: 0s, after: 5m, name: a}", ("'after' is already in line 3",)),
    ],
)
def test_a_wrong_key_is_named_with_the_nearest_known_one(
    text: str, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in the file is an error that says where and what instead."""
    write(tmp_path, text, monkeypatch)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    for word in words:
        assert word in str(caught.value)


def test_mappings_merge_and_lists_replace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One changed severity leaves the others as they are; a list of rules is the whole list."""
    write(
        tmp_path,
        "severities: {sev1: {update_every: 5m}}\nintake: [{matchers: [], then: triage, severity: sev4}]",
        monkeypatch,
    )
    config = load_settings().config
    assert config.policy.of(Severity.SEV1).update_every == 300
    assert config.policy.of(Severity.SEV2).update_every == 900
    assert config.rules[-1].then is Then.TRIAGE
    assert config.rules[-1].severity is Severity.SEV4
    own = [rule for rule in config.rules if rule not in PAGERDUTY_RULES]
    assert [m.label for rule in own for m in rule.matchers if m.label == "severity"] == []


def test_storms_and_flapping_have_their_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each key has a default; one that is set leaves the others as they are."""
    assert load_settings().config.storm_policy == StormPolicy()
    assert load_settings().config.flap_policy == FlapPolicy()
    text = "storms: {over: 2, within: 10m, by: [region]}\nflapping: {hold: 5m}"
    write(tmp_path, text, monkeypatch)
    config = load_settings().config
    assert config.storm_policy == StormPolicy(over=2, within=timedelta(minutes=10), by=("region",))
    assert config.flap_policy == FlapPolicy(hold=timedelta(minutes=5))


def test_the_example_is_a_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `deploy/` shows of storms and flapping is what holds without it."""
    example = Path(__file__).resolve().parents[2] / "deploy" / "sitrep.yaml"
    monkeypatch.setenv("SITREP_CONFIG", str(example))
    config = load_settings().config
    assert (config.storm_policy, config.flap_policy) == (StormPolicy(), FlapPolicy())


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the settings' text nor an error holds a secret."""
    for name, value in {**SLACK, "SLACK_BOT_TOKEN": "xoxb-hidden"}.items():
        monkeypatch.setenv(name, value)
    assert "xoxb-hidden" not in repr(load_settings())
    monkeypatch.setenv("SITREP_API_TOKENS", "viewer-hidden")
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert "hidden" not in str(caught.value)


def test_several_alertmanagers_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The peers are listed with commas between; one of them may be on this machine."""
    assert load_settings().alertmanager_urls == ()
    monkeypatch.setenv("ALERTMANAGER_API_URL", "https://a.example, http://127.0.0.1:9093")
    assert load_settings().alertmanager_urls == ("https://a.example", "http://127.0.0.1:9093")


def test_an_alertmanager_of_a_named_source_has_its_own_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """`name=` before an address says whose alerts it is asked about; an equals sign within the address does not."""
    urls = "https://a.example, eu=https://eu-1.example, eu=https://eu-2.example/?x=y, https://b.example/q=https://c"
    monkeypatch.setenv("ALERTMANAGER_API_URL", urls)
    settings = load_settings()
    assert settings.alertmanager_sources == {
        "alertmanager": ("https://a.example", "https://b.example/q=https://c"),
        "alertmanager/eu": ("https://eu-1.example", "https://eu-2.example/?x=y"),
    }
    assert len(settings.alertmanager_urls) == 4
    monkeypatch.setenv("ALERTMANAGER_API_URL", "eu=http://eu.example")
    with pytest.raises(ConfigError, match="https://"):
        load_settings()


def test_what_the_auditor_talks_to_is_said_to_be_on_or_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are off until they are set, and neither address is shown: it can hold a secret."""
    names = ("alerts compared with alertmanager", "heartbeat")
    assert [i.on for i in integrations(load_settings()) if i.name in names] == [False, False]
    monkeypatch.setenv("ALERTMANAGER_API_URL", "https://user:hidden@a.example")
    monkeypatch.setenv("SITREP_HEARTBEAT_URL", "https://beat.example/hidden")
    settings = load_settings()
    assert [i.on for i in integrations(settings) if i.name in names] == [True, True]
    assert not [w for w in warnings(settings) if "no effect" in w]
    assert "hidden" not in repr(settings)


def test_roles_are_found_by_their_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token gives its role; an unknown one gives none."""
    monkeypatch.setenv("SITREP_API_TOKENS", "viewer:v,admin:a")
    settings = load_settings()
    assert [settings.role_of(t) for t in ("v", "a", "x", "")] == ["viewer", "admin", None, None]


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("15m", 900), ("4h", 14400), ("1h30m", 5400), ("2d", 172800)]
)
def test_durations(text: str, seconds: int) -> None:
    """Durations read as people write them."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "15", "m", "1.5h", "-5m", "5 minutes", "5m!"])
def test_what_is_no_duration(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="15m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:80/", True),
        ("http://localhost/", True),
        ("http://[::1]/", True),
        ("http://127.0.0.1.evil.example/", False),
        ("https://slack.com/api/", False),
        ("", False),
    ],
)
def test_loopback(url: str, loopback: bool) -> None:
    """Only this machine's own addresses count as loopback."""
    assert is_loopback(url) is loopback


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://sitrep@db/sitrep", "postgresql://user@host/database"),
        ("sqlite://", "give a file"),
        ("sqlite:///:memory:", "give a file"),
        ("sqlite:////no/such/folder/sitrep.db", "create the folder /no/such/folder"),
    ],
)
def test_a_database_that_cannot_be_is_refused_with_the_fix(url: str, words: str) -> None:
    """What this version cannot run on is said before anything starts."""
    with pytest.raises(ConfigError, match=words):
        serving(url)


def test_severity_words_merge_with_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A company's word is added, in any case; the others keep what they mean."""
    write(tmp_path, "severity_words: {KAPUTT: critical, page: warning, SEV-1: sev2}", monkeypatch)
    words = load_settings().config.rules.words
    assert (words["kaputt"], words["page"], words["sev1"], words["fatal"]) == (
        "critical",
        "warning",
        "sev2",
        "critical",
    )


def test_facts_name_labels_and_exporters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each list of `facts:` replaces its default, the others stay; a label may hold any character."""
    assert load_settings().config.subjects == DEFAULT_SUBJECT_RULES
    write(tmp_path, "facts: {service: ['\"service.name\"', team], exporters: ['probe-.*']}", monkeypatch)
    subjects = load_settings().config.subjects
    assert subjects == replace(DEFAULT_SUBJECT_RULES, service=("service.name", "team"), exporters=("probe-.*",))
