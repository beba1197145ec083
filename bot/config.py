"""The YAML configuration: Slack's channels, severities, ladders, intake rules. Every key has a default."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from bot import yaml_once
from bot.durations import Duration, Offset
from bot.errors import ConfigError
from bot.incidents import intake as intake_rules
from bot.incidents import rooms, severity_words
from bot.incidents.matchers import Matcher, label_name
from bot.incidents.patterns import pattern
from bot.incidents.policy import (
    DEFAULT_SEVERITIES,
    OVERDUE_REPEAT,
    Level,
    PagerDutyTarget,
    Policy,
    Severity,
    SeverityPolicy,
)
from bot.incidents.storm import FlapPolicy, StormPolicy
from bot.incidents.subject import DEFAULT_SUBJECT_RULES, SubjectRules
from bot.severity_config import SeveritiesConfig, SeverityConfig, SeverityWord, key_of, rows_of
from bot.site_config import SitesConfig


def _channel(value: object) -> object:
    return value.lstrip("#") if isinstance(value, str) else value


ChannelName = Annotated[str, BeforeValidator(_channel), Field(min_length=1)]


def _emoji(value: object) -> object:
    if value is None or value is False:  # how YAML reads `off`
        return None
    if isinstance(value, str):
        return None if value.strip().casefold() in {"", "none"} else value.strip().strip(":")
    return value


Emoji = Annotated[Annotated[str, Field(pattern=r"^[a-z0-9_+'-]{1,100}$")] | None, BeforeValidator(_emoji)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _pattern(value: object) -> object:
    if isinstance(value, str):
        rooms.check(value)
    return value


RoomPattern = Annotated[str, BeforeValidator(_pattern)]


class SlackConfig(_Strict):
    """Where messages go, by channel name or id, and what the slash command is called."""

    alerts_channel: ChannelName = "ops-alerts"
    announcements_channel: ChannelName = "incidents"
    operators_channel: ChannelName | None = None
    channel_name: RoomPattern = rooms.PATTERN  # of an incident's channel
    command: str = Field(default="/incident", pattern=r"^/[a-z0-9_-]{1,31}$")
    timeline_reaction: Emoji = "pushpin"  # puts a message on the timeline; empty or none: no reaction does

    @property
    def operators(self) -> str:
        """The channel that is told of what failed for good."""
        return self.operators_channel or self.alerts_channel


PagerDutyId = Annotated[str, Field(pattern=r"^[A-Z0-9]{4,32}$")]


class PagerDutyConfig(_Strict):
    """The service that pages are opened on where a level names none of its own, and what priorities stand for."""

    service: PagerDutyId | None = None
    priorities: dict[Annotated[str, Field(min_length=1, max_length=200)], SeverityWord] = {}


class PagerDutyLevel(_Strict):
    """Whom a level pages in PagerDuty: an escalation policy, else the service's own."""

    escalation_policy: PagerDutyId | None = None
    service: PagerDutyId | None = None


class LevelConfig(_Strict):
    """One rung: when (from the declaration), who."""

    after: Offset
    name: str = Field(min_length=1, max_length=80)
    slack: list[str] = []
    pagerduty: PagerDutyLevel | None = None


class ServiceConfig(_Strict):
    """Who answers for a service, for `page` and `oncall`."""

    slack: list[str] = []
    pagerduty: PagerDutyLevel | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A service by its name, with whoever answers for it."""

    name: str
    slack: tuple[str, ...]
    pagerduty: PagerDutyLevel | None


class RuleConfig(_Strict):
    """One intake rule; the first that matches wins."""

    matchers: list[str]
    then: intake_rules.Then
    severity: SeverityWord = Severity.SEV3.value
    apart: list[Annotated[str, Field(min_length=1, max_length=250)]] = ["service"]


class AuditorConfig(_Strict):
    """How long an alert may differ from what its source reports: longer than Alertmanager's group_interval takes."""

    flag_after: Duration = 600


class AlertmanagerConfig(_Strict):
    """Which of Alertmanager's receivers are the bot's; without any, those from which notifications have come."""

    receivers: list[Annotated[str, Field(min_length=1, max_length=200)]] = []


class MitigationsConfig(_Strict):
    """By when a change is to be taken back whose runbook names no time."""

    rollback_within: Duration = 4 * 3600


Rate = Annotated[int, Field(strict=True, ge=1)]


def _label(value: object) -> object:
    return label_name(value) if isinstance(value, str) else value


LabelName = Annotated[str, BeforeValidator(_label), Field(min_length=1)]


def _expression(value: object) -> object:
    if isinstance(value, str):
        try:
            pattern(value, ignore_case=True)
        except ValueError as error:
            raise ValueError(f"Fix the regular expression {value!r}: {error}.") from error
    return value


Expression = Annotated[str, BeforeValidator(_expression), Field(min_length=1)]


class StormsConfig(_Strict):
    """When alert groups come too fast for an incident each: more than so many of one family, or of all, in a while."""

    over: Rate = 5
    overall: Rate = 20
    within: Duration = 300
    by: list[LabelName] = ["cluster", "service"]
    join_for: Duration = 1800


class FactsConfig(_Strict):
    """What alerts tell of what is broken: the labels that name it, the first that is there; and exporters' names."""

    service: list[LabelName] = list(DEFAULT_SUBJECT_RULES.service)
    namespace: list[LabelName] = list(DEFAULT_SUBJECT_RULES.namespace)
    pod: list[LabelName] = list(DEFAULT_SUBJECT_RULES.pod)
    node: list[LabelName] = list(DEFAULT_SUBJECT_RULES.node)
    exporters: list[Expression] = list(DEFAULT_SUBJECT_RULES.exporters)
    about_exporters: list[Expression] = list(DEFAULT_SUBJECT_RULES.about_exporters)


class FlappingConfig(_Strict):
    """When an alert flaps: it began more than so often in a while; and how long its next beginning is held back."""

    over: Rate = 3
    within: Duration = 3600
    hold: Duration = 900


class OverdueConfig(_Strict):
    """How often an overdue update is said after the ladder's top; then the operators hear of it, once an hour."""

    repeat: int = Field(default=OVERDUE_REPEAT, ge=0, le=100)


BaseUrl = Annotated[str, Field(pattern=r"^https?://[^\s/]+(/[^\s?#]*)?$")]


class LinksConfig(_Strict):
    """Where queries of runbooks can be opened: base URLs, and the uids of Grafana's data sources."""

    prometheus: BaseUrl | None = None
    grafana: BaseUrl | None = None
    loki: str = ""
    tempo: str = ""


class RunbooksConfig(_Strict):
    """Where checklists and reviews come round: a channel for all, or one of an owner team's own."""

    channel: ChannelName | None = None
    owners: dict[str, ChannelName] = {}
    checklists: bool = True

    @model_validator(mode="after")
    def _check(self) -> RunbooksConfig:
        known: dict[str, str] = {}
        for team in self.owners:
            other = known.setdefault(_team(team), team)
            if other != team:
                raise ValueError(f"owners: {other!r} and {team!r} are one team; name it once.")
        return self


def _team(name: str) -> str:
    return " ".join(name.split()).casefold()


class Config(_Strict):
    """The whole file."""

    slack: SlackConfig = SlackConfig()
    pagerduty: PagerDutyConfig = PagerDutyConfig()
    auditor: AuditorConfig = AuditorConfig()
    alertmanager: AlertmanagerConfig = AlertmanagerConfig()
    links: LinksConfig = LinksConfig()
    severities: SeveritiesConfig = {}
    ladders: dict[str, list[LevelConfig]] = {}
    services: dict[str, ServiceConfig] = {}
    intake: list[RuleConfig] | None = None
    severity_words: dict[str, str] = {}
    facts: FactsConfig = FactsConfig()
    storms: StormsConfig = StormsConfig()
    mitigations: MitigationsConfig = MitigationsConfig()
    flapping: FlappingConfig = FlappingConfig()
    overdue: OverdueConfig = OverdueConfig()
    runbooks: RunbooksConfig = RunbooksConfig()
    sites: SitesConfig = {}

    @model_validator(mode="after")
    def _check(self) -> Config:
        rows_of(self.severities)
        for key, row in self.severities.items():
            if row.ladder and row.ladder not in self.ladders:
                known = ", ".join(sorted(self.ladders)) or "none"
                raise ValueError(f"severities.{key}.ladder: add ladders.{row.ladder} (there are: {known}).")
        for name, word in self.pagerduty.priorities.items():
            self._severity(f"pagerduty.priorities.{name}", word)
        for name, levels in self.ladders.items():
            offsets = [level.after for level in levels]
            if offsets != sorted(offsets):
                raise ValueError(f"ladders.{name}: order the levels by `after`.")
        for word, meaning in self.severity_words.items():
            if self._meaning(meaning) not in severity_words.MEANINGS:
                known = ", ".join(dict.fromkeys([*severity_words.MEANINGS, *self.policy.names]))
                raise ValueError(f"severity_words.{word}: give one of {known}, not {meaning!r}.")
        if self.storms.overall < self.storms.over:
            raise ValueError("storms.overall: give at least as many as storms.over, since it counts all families.")
        for number, rule in enumerate(self.intake or (), start=1):
            self._severity(f"intake rule {number}: severity", rule.severity)
            for matcher in rule.matchers:
                try:
                    Matcher.parse(matcher)
                except ValueError as error:
                    raise ValueError(f"intake rule {number}: {error}") from error
        return self

    def _severity(self, where: str, word: str) -> Severity:
        """Return the level of a severity that the file names in a place.

        Raises:
            ValueError: there is none of that name.
        """
        if found := self.policy.find(word):
            return found
        known = ", ".join(dict.fromkeys(self.policy.typed(severity) for severity in Severity))
        raise ValueError(f"{where}: there is no severity {word!r}. Give one of {known}.")

    def _meaning(self, word: str) -> str:
        """Return what a severity word is to mean: a level where the company's name of one stands there."""
        plain = severity_words.plain(word)
        own = None if plain in severity_words.MEANINGS else self.policy.find(word)
        return own.value if own else plain

    @property
    def warnings(self) -> list[str]:
        """What is configured in a way that will surprise somebody."""
        return [
            f"ladders.{name}: level {level.name!r} names nobody; Sitrep pages the next level at once"
            for name, levels in self.ladders.items()
            for level in levels
            if not level.slack and level.pagerduty is None
        ]

    @property
    def own_rules(self) -> list[intake_rules.Rule]:
        """The intake rules that the file holds, in its order."""
        return [
            intake_rules.Rule(
                tuple(Matcher.parse(m) for m in r.matchers),
                r.then,
                self._severity("intake", r.severity),
                tuple(r.apart),
            )
            for r in self.intake or ()
        ]

    @property
    def rules(self) -> intake_rules.Rules:
        """The intake rules in force, with the words that they take a severity for."""
        own, names = self.own_rules, self.policy.names
        said = {word: self._meaning(meaning) for word, meaning in self.severity_words.items()}
        if self.intake is None:
            words = severity_words.merged(said, names=names)
            return intake_rules.Rules(intake_rules.complete(intake_rules.DEFAULT_RULES), words)
        words = severity_words.merged(said, intake_rules.words_named(own), names)
        return intake_rules.Rules(intake_rules.complete(own), words)

    @property
    def priorities(self) -> dict[str, Severity]:
        """What PagerDuty's priorities stand for by the file; a name of a severity stands for itself."""
        own = {word: severity for severity, row in self.policy.severities.items() for word in row.words}
        named = self.pagerduty.priorities.items()
        return {**own, **{name: self._severity("pagerduty.priorities", word) for name, word in named}}

    @property
    def people(self) -> frozenset[str]:
        """Everybody whom a ladder or a service names in Slack, as it names them."""
        levels = [level.slack for levels in self.ladders.values() for level in levels]
        return frozenset(spec for named in (*levels, *(s.slack for s in self.services.values())) for spec in named)

    def service(self, name: str) -> Service | None:
        """Give a service by its name, in any case."""
        found = next((known for known in self.services if known.casefold() == name.casefold()), None)
        if found is None:
            return None
        return Service(found, tuple(self.services[found].slack), self.services[found].pagerduty)

    def target(self, service: Service) -> dict[str, str]:
        """Give whom PagerDuty pages for a service; empty where it pages nobody."""
        target = self._target(service.pagerduty)
        return asdict(target) if target else {}

    def channel_of(self, team: str | None) -> str:
        """Give the channel in which an owner team finds what comes round."""
        owners = {_team(name): channel for name, channel in self.runbooks.owners.items()}
        return owners.get(_team(team or ""), self.runbooks.channel or self.slack.operators)

    @property
    def subjects(self) -> SubjectRules:
        """How it is decided what an alert is about."""
        facts = self.facts
        return SubjectRules(
            service=tuple(facts.service),
            namespace=tuple(facts.namespace),
            pod=tuple(facts.pod),
            node=tuple(facts.node),
            exporters=tuple(facts.exporters),
            about_exporters=tuple(facts.about_exporters),
        )

    @property
    def storm_policy(self) -> StormPolicy:
        """When alert groups are a storm."""
        storms = self.storms
        return StormPolicy(
            over=storms.over,
            overall=storms.overall,
            within=timedelta(seconds=storms.within),
            by=tuple(storms.by),
            join_for=timedelta(seconds=storms.join_for),
        )

    @property
    def flap_policy(self) -> FlapPolicy:
        """When an alert flaps."""
        flaps = self.flapping
        return FlapPolicy(flaps.over, timedelta(seconds=flaps.within), timedelta(seconds=flaps.hold))

    def ladder_of(self, severity: Severity) -> str:
        """Return the name of a severity's ladder; empty where it climbs none.

        Sev1 and sev2 climb the one called "default" unless told otherwise; sev3 and sev4 climb none.
        """
        named = rows_of(self.severities).get(severity, SeverityConfig()).ladder
        return named or ("default" if DEFAULT_SEVERITIES[severity].channel else "")

    @property
    def policy(self) -> Policy:
        """The response policy in force."""
        rows, configured = {}, rows_of(self.severities)
        for severity, default in DEFAULT_SEVERITIES.items():
            row = configured.get(severity, SeverityConfig())
            channel = default.channel if row.channel is None else row.channel
            rows[severity] = SeverityPolicy(
                respond_within=row.respond_within or default.respond_within,
                update_every=row.update_every or default.update_every,
                channel=channel,
                monitoring_every=row.monitoring_every or 2 * (row.update_every or 0) or default.monitoring_every,
                overdue_repeat=self.overdue.repeat,
                ladder=tuple(
                    Level(
                        name=level.name,
                        after=level.after,
                        slack=tuple(level.slack),
                        pagerduty=self._target(level.pagerduty),
                    )
                    for level in self.ladders.get(self.ladder_of(severity), [])
                ),
                key=key_of(self.severities, severity),
                name=row.name or "",
            )
        return Policy(rows)

    def _target(self, named: PagerDutyLevel | None) -> PagerDutyTarget | None:
        if named is None:
            return None
        return PagerDutyTarget(named.escalation_policy or "", named.service or self.pagerduty.service or "")


def load_config(path: Path | None) -> Config:
    """Read the YAML file; without one, the defaults.

    Raises:
        ConfigError: the file is absent, no YAML, or a key or value in it is wrong.
    """
    if path is None:
        return Config()
    try:
        data = yaml_once.load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"SITREP_CONFIG: there is no file {path}. Create it or unset the variable.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"SITREP_CONFIG: {path} cannot be read: {error}.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"SITREP_CONFIG: fix the YAML in {path}: {error}") from error
    if data is None:
        return Config()
    if not isinstance(data, dict):
        raise ConfigError(f"SITREP_CONFIG: {path} must hold keys and values, such as `slack:`.")
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {_explain(problem)}" for problem in error.errors())) from error


def _explain(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"] if part != "[key]")
    if problem["type"] == "extra_forbidden":
        known = _known_keys(problem["loc"][:-1])
        key = str(problem["loc"][-1])
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}."
        return f"{where}: unknown key {key!r}; {hint}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def _known_keys(path: tuple[int | str, ...]) -> list[str]:
    """Walk the models along an error's path and give the keys that are known there."""
    model: Any = Config
    for part in path:
        model = _unwrap(model)
        if isinstance(model, type) and issubclass(model, BaseModel):
            field = model.model_fields.get(str(part))
            model = field.annotation if field else None
        else:  # a list or a mapping: its values' type
            model = (get_args(model) or (None,))[-1]
    model = _unwrap(model)
    return sorted(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _unwrap(model: Any) -> Any:
    """Take `X | None` as `X`."""
    inner = [a for a in get_args(model) if a is not type(None)]
    return inner[0] if type(None) in get_args(model) and inner else model
