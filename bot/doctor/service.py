"""The signing secret. Slack cannot be asked for it; a running service can be asked whether it takes what is signed."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import httpx
from slack_sdk.signature import SignatureVerifier

from bot.doctor.finding import DEADLINE, Findings, fault, off, ok
from bot.manifest import PATH
from bot.settings import Settings

NAME = "slack signing secret"
# Where to ask whoever listens on all addresses.
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
CHALLENGE = "sitrep-doctor"
FIX = "Set SLACK_SIGNING_SECRET to the Signing Secret (Basic Information of the app), and restart the service with it."


def address(settings: Settings) -> str:
    """Give the base URL at which the service answers on this machine."""
    host = ANYWHERE.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


async def look(settings: Settings, skew: timedelta) -> Findings:
    """Send the service a signed greeting, which changes nothing.

    Args:
        settings: where it listens, and the secret.
        skew: how far the clock that the service goes by is ahead of this machine's.
    """
    if settings.slack_signing_secret is None:
        return [off(NAME, "not needed: Socket Mode is on")]
    base, command = address(settings), settings.config.slack.command
    secret = settings.slack_signing_secret.get_secret_value()
    async with httpx.AsyncClient(base_url=base, timeout=2 * DEADLINE, trust_env=False) as http:
        try:
            health = await http.get("/healthz")
        except (httpx.ConnectError, httpx.ConnectTimeout):
            how = f"start `sitrep serve` and run `sitrep doctor` again, or type `{command} help` in Slack"
            return [off(NAME, f"not checked: no service answers at {base}; {how}")]
        if not _is_ours(health):
            fix = "Stop what listens there, or set SITREP_HOST and SITREP_PORT to the service's address."
            return [fault(NAME, f"something answers at {base}, but it is not Sitrep", fix)]
        answer = await http.send(_greeting(http, secret, time.time() + skew.total_seconds()))
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return [fault(NAME, f"the service at {base} rejects this signing secret: it runs with a different one", FIX)]
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return [
            fault(
                NAME,
                f"the service at {base} runs without Slack",
                "Restart the service with the SLACK_ variables of this environment.",
            )
        ]
    if answer.status_code != httpx.codes.OK or CHALLENGE not in answer.text:
        text = f"the service at {base} answers {answer.status_code} to a request signed with this secret"
        return [fault(NAME, text, "Check the service's log.")]
    return [ok(NAME, f"the service at {base} has the same secret; `{command} help` in Slack confirms it is the app's")]


def _is_ours(health: httpx.Response) -> bool:
    try:
        return health.status_code == httpx.codes.OK and health.json() == {"status": "ok"}
    except ValueError:
        return False


def _greeting(http: httpx.AsyncClient, secret: str, moment: float) -> httpx.Request:
    """Make the request with which Slack tries an address; `moment` is in epoch seconds."""
    body = json.dumps({"type": "url_verification", "challenge": CHALLENGE})
    timestamp = str(int(moment))
    signature = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=body) or ""
    headers = {
        "content-type": "application/json",
        "x-slack-request-timestamp": timestamp,
        "x-slack-signature": signature,
    }
    return http.build_request("POST", PATH, content=body, headers=headers)
