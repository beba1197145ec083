"""What senders send under load: a body that a real Alertmanager has sent, with places to be filled in."""

from __future__ import annotations

import json
import time
import uuid
from urllib.parse import urlencode

from bot.sandbox.signing import Signing
from tests.integration.bodies import recorded

PLACE = "@number@"

# The recorded body, 1.1 kB: each number is a group of its own, in a cluster and of a service of its own.
CRITICAL = (
    recorded(1)
    .decode()
    .replace("eu1", PLACE)
    .replace('"checkout"', f'"{PLACE}"')
    .replace("caae61f8", PLACE)
    .replace("360cbe18", PLACE)
)
# The same, of a severity that the default rules record only.
INFO = CRITICAL.replace('"critical"', '"info"')


def slash(text: str, *, user: str, channel: str, secret: str) -> dict[str, object]:
    """A slash command as Slack sends it: a form, signed."""
    form = {
        "token": "bench",
        "team_id": "T0SANDBOX",
        "team_domain": "sandbox",
        "channel_id": channel,
        "channel_name": "general",
        "user_id": user,
        "user_name": "alice",
        "command": "/incident",
        "text": text,
        "api_app_id": "A0SITREP",
        "is_enterprise_install": "false",
        "response_url": f"http://127.0.0.1:9/response/{uuid.uuid4()}",
        "trigger_id": f"{time.time_ns()}.{uuid.uuid4().hex}",
    }
    body = urlencode(form)
    headers = {"content-type": "application/x-www-form-urlencoded", **Signing().headers(body.encode(), secret)}
    return {"body": body, "headers": headers}


def numbered(body: str, number: int) -> str:
    """Fill the places in."""
    return body.replace(PLACE, f"{number:08d}")


assert 1_050 < len(numbered(CRITICAL, 1)) < 1_250
assert json.loads(numbered(CRITICAL, 1))["version"] == "4"
