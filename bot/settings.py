"""The environment, checked at start. An integration whose variables are unset is off; it never blocks the rest."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.config import Config, load_config
from bot.errors import ConfigError
from bot.incidents.sources import NAME, source_of

ROLES = ("viewer", "responder", "admin")


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token of the HTTP API and what it may do."""

    role: str
    token: str


@dataclass(frozen=True, slots=True)
class WebhookToken:
    """A token of Alertmanager's webhook and the name of its source; empty where it has none."""

    source: str
    token: str


def is_loopback(url: str) -> bool:
    """True when a URL's host is this machine itself."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


_HOST = re.compile(r"\w(?:[\w.-]*\w)?\.?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_NAMED_URL = re.compile(rf"({NAME.pattern})=(?=https?://)")


def _named_tokens(value: str) -> tuple[WebhookToken, ...]:
    """Return the tokens of `name:token,...`; none where a part has another form, as a token of its own may."""
    parts = [part.strip().partition(":") for part in value.split(",")]
    if not all(colon and token and NAME.fullmatch(name) for name, colon, token in parts):
        return ()
    return tuple(WebhookToken(name, token) for name, _, token in parts)


def _check_public_url(url: str) -> None:
    """Refuse what cannot begin the links in messages; each refusal says what to write instead."""
    no_url = "it is not a URL: write it as https://sitrep.example.com"
    bare = "://" not in url
    try:
        parts = urlsplit(f"//{url}" if bare else url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(no_url) from None
    if re.search(r"\s", url) or not _HOST.fullmatch(host) or host in {"http", "https"}:
        raise ValueError(no_url)
    scheme = parts.scheme or ("http" if is_loopback(f"//{url}") else "https")
    shown = f"[{host}]" if ":" in host else host
    good = f"{scheme}://{shown}{f':{port}' if port else ''}{parts.path}".rstrip("/")
    if scheme not in {"http", "https"}:
        raise ValueError(f"a browser does not open {scheme}://: write https:// instead")
    if parts.username is not None:
        raise ValueError(f"take the user and the password out, messages would show them: write {good}")
    if bare:
        raise ValueError(f"the scheme is missing: write {good}")
    if "?" in url or "#" in url:
        raise ValueError(f"links append a path to it: take out what follows ? or #, and write {good}")


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "http" and not is_loopback(url):
        raise ValueError("plain http:// is taken for loopback hosts only: use https://")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("give a URL that begins with https://")


class Settings(BaseSettings):
    """Everything that the environment says. Secrets never show in a log or a traceback."""

    model_config = SettingsConfigDict(env_prefix="", extra="ignore", frozen=True, hide_input_in_errors=True)

    database_url: str = Field("sqlite:///sitrep.db", validation_alias="SITREP_DATABASE_URL")
    config_path: Path | None = Field(None, validation_alias="SITREP_CONFIG")
    host: str = Field("127.0.0.1", validation_alias="SITREP_HOST")
    port: int = Field(8080, validation_alias="SITREP_PORT", ge=0, le=65535)
    runbooks: Path = Field(Path("runbooks"), validation_alias="SITREP_RUNBOOKS")
    public_url: str = Field("", validation_alias="SITREP_PUBLIC_URL")
    api_tokens: SecretStr | None = Field(None, validation_alias="SITREP_API_TOKENS")
    heartbeat_url: str = Field("", validation_alias="SITREP_HEARTBEAT_URL", repr=False)
    max_body: int = Field(16 * 1024 * 1024, validation_alias="SITREP_MAX_BODY", ge=1024)
    test_clock: Path | None = Field(None, validation_alias="SITREP_TEST_CLOCK")

    slack_bot_token: SecretStr | None = Field(None, validation_alias="SLACK_BOT_TOKEN")
    slack_signing_secret: SecretStr | None = Field(None, validation_alias="SLACK_SIGNING_SECRET")
    slack_app_token: SecretStr | None = Field(None, validation_alias="SLACK_APP_TOKEN")
    slack_api_url: str = Field("https://slack.com/api/", validation_alias="SLACK_API_URL")

    pagerduty_api_token: SecretStr | None = Field(None, validation_alias="PAGERDUTY_API_TOKEN")
    pagerduty_api_url: str = Field("https://api.pagerduty.com", validation_alias="PAGERDUTY_API_URL")
    pagerduty_events_url: str = Field("https://events.pagerduty.com", validation_alias="PAGERDUTY_EVENTS_URL")
    pagerduty_routing_key: SecretStr | None = Field(None, validation_alias="PAGERDUTY_ROUTING_KEY")
    pagerduty_from: str = Field("", validation_alias="PAGERDUTY_FROM")
    pagerduty_webhook_secrets: SecretStr | None = Field(None, validation_alias="PAGERDUTY_WEBHOOK_SECRETS")

    alertmanager_webhook_token: SecretStr | None = Field(None, validation_alias="ALERTMANAGER_WEBHOOK_TOKEN")
    alertmanager_api_url: str = Field("", validation_alias="ALERTMANAGER_API_URL", repr=False)

    @field_validator(
        "api_tokens",
        "slack_bot_token",
        "slack_signing_secret",
        "slack_app_token",
        "pagerduty_api_token",
        "pagerduty_routing_key",
        "pagerduty_webhook_secrets",
        "alertmanager_webhook_token",
    )
    @classmethod
    def _not_empty(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not all(part.strip() for part in value.get_secret_value().split(",")):
            raise ValueError("it is set but empty: give it a value or unset it")
        return value

    @field_validator("slack_api_url", "pagerduty_api_url", "pagerduty_events_url", "heartbeat_url")
    @classmethod
    def _secure(cls, value: str) -> str:
        if value:
            _check_url(value)
        return value

    @field_validator("alertmanager_api_url")
    @classmethod
    def _each_secure(cls, value: str) -> str:
        for part in value.split(",") if value else ():
            _check_url(_NAMED_URL.sub("", part.strip()))
        return value

    @field_validator("slack_api_url")
    @classmethod
    def _slash(cls, value: str) -> str:
        return value if value.endswith("/") else value + "/"

    @field_validator("port", mode="before")
    @classmethod
    def _ours(cls, value: Any) -> Any:
        if isinstance(value, str) and value.startswith("tcp://"):
            raise ValueError(
                "Kubernetes set it for a Service named sitrep: "
                "set SITREP_PORT in the pod, or `enableServiceLinks: false`"
            )
        return value

    @field_validator("public_url")
    @classmethod
    def _linkable(cls, value: str) -> str:
        if value := value.strip():
            _check_public_url(value)
        return value.rstrip("/")

    @field_validator("api_tokens")
    @classmethod
    def _token_form(cls, value: SecretStr | None) -> SecretStr | None:
        for part in value.get_secret_value().split(",") if value else ():
            role, colon, token = part.strip().partition(":")
            if not colon or role not in ROLES or not token:
                raise ValueError("write role:token pairs with commas between; roles are viewer, responder, admin")
        return value

    @field_validator("alertmanager_webhook_token")
    @classmethod
    def _one_source_each(cls, value: SecretStr | None) -> SecretStr | None:
        named = _named_tokens(value.get_secret_value()) if value else ()
        if len({each.token for each in named}) < len(named):
            raise ValueError("two sources have the same token: give each one of its own")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if self.test_clock and not is_loopback(self.slack_api_url):
            raise ValueError("SITREP_TEST_CLOCK: unset it; it moves the clock only with a loopback SLACK_API_URL")
        if (self.slack_bot_token is None) != (self.slack_signing_secret is None and self.slack_app_token is None):
            missing = "SLACK_BOT_TOKEN" if self.slack_bot_token is None else "SLACK_SIGNING_SECRET or SLACK_APP_TOKEN"
            raise ValueError(f"{missing}: set it too, or unset the other SLACK_ variables")
        return self

    @cached_property
    def config(self) -> Config:
        """The YAML configuration."""
        return load_config(self.config_path)

    @property
    def slack_on(self) -> bool:
        """True when Slack is configured."""
        return self.slack_bot_token is not None

    @property
    def webhook_secrets(self) -> tuple[bytes, ...]:
        """PagerDuty's signing secrets; several while one is being rotated."""
        if self.pagerduty_webhook_secrets is None:
            return ()
        return tuple(part.strip().encode() for part in self.pagerduty_webhook_secrets.get_secret_value().split(","))

    @property
    def alertmanager_tokens(self) -> tuple[WebhookToken, ...]:
        """Alertmanager's webhook tokens: the variable as a whole, and each of it where it is `name:token,...`."""
        if self.alertmanager_webhook_token is None:
            return ()
        value = self.alertmanager_webhook_token.get_secret_value()
        return (WebhookToken("", value), *_named_tokens(value))

    @property
    def tokens(self) -> tuple[ApiToken, ...]:
        """The HTTP API's tokens."""
        if self.api_tokens is None:
            return ()
        pairs = (part.strip().partition(":") for part in self.api_tokens.get_secret_value().split(","))
        return tuple(ApiToken(role, token) for role, _, token in pairs)

    @property
    def alertmanager_urls(self) -> tuple[str, ...]:
        """The Alertmanagers to ask what still fires: the peers of a cluster, or several clusters."""
        return tuple(url for urls in self.alertmanager_sources.values() for url in urls)

    @property
    def alertmanager_sources(self) -> dict[str, tuple[str, ...]]:
        """The same by the source of their alerts: `name=https://...` is asked about that source's alerts alone."""
        found: dict[str, tuple[str, ...]] = {}
        for part in (part.strip() for part in self.alertmanager_api_url.split(",") if part.strip()):
            named = _NAMED_URL.match(part)
            source = source_of(named.group(1) if named else "")
            found[source] = (*found.get(source, ()), part[named.end() :] if named else part)
        return found

    @classmethod
    def variables(cls) -> frozenset[str]:
        """Return the names of all variables that are read."""
        return frozenset(str(field.validation_alias) for field in cls.model_fields.values())

    def role_of(self, token: str) -> str | None:
        """Give the role that a token has; all are compared, in constant time."""
        found = [t.role for t in self.tokens if hmac.compare_digest(t.token.encode(), token.encode())]
        return max(found, key=ROLES.index) if found else None


def load_settings(**overrides: Any) -> Settings:
    """Read the environment and the configuration file.

    Raises:
        ConfigError: a variable or a key is wrong; the message names it and the fix.
    """
    try:
        settings = Settings(**overrides)
        settings.config  # noqa: B018 - read now, so that a bad file stops the start and not the first incident
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(problem) for problem in error.errors())) from error
    return settings


def _explain(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
