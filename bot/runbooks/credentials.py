"""What in a text looks like a password, key or token. A placeholder (`<password>`, `$PGPASSWORD`) does not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from detect_secrets.core.scan import scan_line
from detect_secrets.settings import transient_settings

# Known kinds of credentials; guesses by entropy alone would take digests and ids for secrets.
_DETECTORS = (
    *("AWSKeyDetector", "AzureStorageKeyDetector", "BasicAuthDetector", "GitHubTokenDetector", "GitLabTokenDetector"),
    *("JwtTokenDetector", "PrivateKeyDetector", "SendGridDetector", "SlackDetector", "StripeDetector"),
    *("TwilioKeyDetector", "KeywordDetector"),
)
_VALUE = r"[\"']?(?P<value>[^\s\"'`,;)]+)"
# What those do not know. Each has a group `value`, which may be a placeholder.
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "Password or key in a variable",
        re.compile(r"\b[A-Z0-9_]*(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|ROUTING_KEY)\s*=\s*" + _VALUE),
    ),
    (
        "Password",
        re.compile(
            r"\b(?:password|passwd|client_secret|secret_key|api_key|auth_token)=" + _VALUE + r"|"
            r"\b(?:password|passwd)[\"']?:\s+[\"']?(?P<other>(?=\S*\d)[^\s\"'`,;)]{6,})",
            re.IGNORECASE,
        ),
    ),
    ("Bearer token", re.compile(r"\bbearer\s+(?P<value>(?=\S*\d|\S{20})[\w.~+/=${<-]{8,})", re.IGNORECASE)),
    ("Basic credentials", re.compile(r"authorization:\s*basic\s+(?P<value>[A-Za-z0-9+/]{8,}={0,2})", re.IGNORECASE)),
    ("PagerDuty REST token", re.compile(r"(?<![\w+])(?P<value>u\+[A-Za-z0-9_-]{8,})|\btoken=(?P<other>[\w+-]{16,})")),
    (
        "PagerDuty integration key",
        re.compile(
            r"(?:pagerduty|pd_|routing|integration|service)[^\n]*?(?<![0-9A-Za-z])"
            r"(?P<value>[0-9a-f]{32}|R[0-9A-Z]{31})(?![0-9A-Za-z])",
            re.IGNORECASE,
        ),
    ),
    (
        "Slack token or webhook",
        re.compile(
            r"(?P<value>\bx(?:ox[abeoprs]|app)-[\w-]{10,}|hooks\.slack\.com/(?:services|workflows|triggers)/[\w/]+)"
        ),
    ),
    ("Private key", re.compile(r"(?P<value>-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAGE-SECRET-KEY-1\w+)")),
    (
        "Connection string with a password",
        re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s:/@]*:(?P<value>[^\s@/]+)@", re.IGNORECASE),
    ),
    (
        "Access token",
        re.compile(
            r"(?P<value>\bgh[oprsu]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bhv[sb]\.[\w-]{16,}"
            r"|\bAIza[\w-]{30,}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b)"
        ),
    ),
)
_PLACEHOLDER = re.compile(
    r"[<⟨$%*…{(\[]|\.\.\.|(?:x{3,}|redacted|change[-_]?me|placeholder|none|null|true|false|your[-_].*|my[-_].*)$",
    re.IGNORECASE,
)


# Lines without any of these are not looked at closely: that takes 0.3 ms each.
_WORTH_A_LOOK = re.compile(
    r"[\w+/=-]{16}|\w:\S+@|pass|pwd|secret|token|key|bearer|basic|u\+|credential|hooks\.|-----", re.IGNORECASE
)


def found_in(text: str) -> Iterator[tuple[int, str]]:
    """Give each line, counted from 1, that holds what looks like a credential, with its kind."""
    with transient_settings({"plugins_used": [{"name": detector} for detector in _DETECTORS]}):
        for number, line in enumerate(text.splitlines(), start=1):
            kind = next(_kinds(line), None) if _WORTH_A_LOOK.search(line) else None
            if kind is not None:
                yield number, kind


def _kinds(line: str) -> Iterator[str]:
    for secret in scan_line(line):
        if not _is_placeholder(secret.secret_value or ""):
            yield secret.type
    for kind, pattern in _KINDS:
        for match in pattern.finditer(line):
            value = next((text for text in match.groupdict().values() if text), "")
            if value and not _is_placeholder(value):
                yield kind


def _is_placeholder(value: str) -> bool:
    return _PLACEHOLDER.match(value.strip("\"'`")) is not None
