"""The API's description: it is sound, it names all that is mounted, and the service does what it says."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from requests import PreparedRequest
from requests.auth import AuthBase
from schemathesis import Case, CheckFunction, Config
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from starlette.routing import Route

from bot.text import clean_deep
from handlers.api.openapi import PATH, document
from tests.conftest import API_TOKEN, PAGERDUTY_SECRET, WEBHOOK_TOKEN, Client, InProcess

ADMIN = "admin-token"
# One service answers all that one operation is asked; the same questions each time.
FUZZ = settings(
    max_examples=25, derandomize=True, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SLACK = ("/slack/events", "POST")  # Slack describes what it sends there


class Bearer(AuthBase):
    """Sends a token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["authorization"] = f"Bearer {self._token}"
        return request


class Signed(AuthBase):
    """Signs the body as PagerDuty does."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        body = request.body or b""
        content = body.encode() if isinstance(body, str) else body
        signature = hmac.new(PAGERDUTY_SECRET.encode(), content, hashlib.sha256).hexdigest()
        request.headers["x-pagerduty-signature"] = f"v1={signature}"
        return request


@dataclass(frozen=True)
class Busy:
    """A service with something to tell: by the name of a path's parameter, the values that there are."""

    url: str
    known: dict[str, list[str]]


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"SITREP_API_TOKENS": f"viewer:{API_TOKEN},admin:{ADMIN}"}


@pytest.fixture
def busy(bot: Client) -> Busy:
    """A service with two incidents, one of them resolved."""
    resolved, channel = bot.open_one()
    bot.slash("resolve scaled Redis from 3 to 6", channel=channel)
    number, _ = bot.open_one("declare Search is slow sev1")
    runbooks = ["ops.api.error-rate", "ops.general.first-response"]
    return Busy(bot.url, {"number": [resolved, number.lower()], "id": runbooks, "source": ["eu", "us"]})


schema = schemathesis.openapi.from_dict(document(), config=Config(seed=1))
schema.auth.set_from_requests(Bearer(ADMIN)).apply_to(path_regex="^/api/")
schema.auth.set_from_requests(Bearer(WEBHOOK_TOKEN)).apply_to(path_regex="^/webhooks/alertmanager")
schema.auth.set_from_requests(Signed()).apply_to(path="/webhooks/pagerduty")


@schema.parametrize()
@FUZZ
def test_the_service_does_what_is_described(case: Case, busy: Busy) -> None:
    """Whatever is asked, right or wrong, is answered with a status, a media type and a body that are described."""
    assert case.meta is not None
    if not case.meta.is_negative_at(ParameterLocation.PATH):
        # A made-up number names no incident, and there is but one thing to say of it.
        for name, value in case.path_parameters.items():
            case.path_parameters[name] = busy.known[name][len(value) % 2]
    aside: list[CheckFunction] = []
    if case.path.startswith("/webhooks/"):
        aside.append(negative_data_rejection)  # what vendors send is read as far as it can be: "5" for 5
    if clean_deep(case.body) != case.body:
        aside.append(positive_data_acceptance)  # what is dropped from a text may leave too little of it
    case.call_and_validate(base_url=busy.url, excluded_checks=aside)


def test_the_description_is_sound() -> None:
    """It is valid OpenAPI 3.1; every reference leads somewhere, and every schema is used."""
    schema.validate()
    used = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document())))
    assert used == set(document()["components"]["schemas"])
    assert "#/$defs" not in json.dumps(document())


def test_all_that_is_mounted_is_described(service: InProcess) -> None:
    """Every route has a description, and every description a route; Slack's endpoint is left out."""
    assert service.server is not None
    app = service.server.config.app
    routes = [route for route in (*app.routes, *app.router.default.routes) if isinstance(route, Route)]
    mounted = {
        (route.path.replace(":path}", "}"), method)
        for route in routes
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {(path, method.upper()) for path, item in document()["paths"].items() for method in item}
    assert mounted - {SLACK} == described


def test_the_description_needs_no_token(bot: Client) -> None:
    """Who writes a client gets it before any token."""
    answer = bot.http.get(PATH)
    assert (answer.status_code, answer.json()) == (200, document())


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "allow"),
    [
        ("GET", "/webhooks/alertmanager", 405, "method_not_allowed", "POST"),
        ("PUT", "/slack/events", 405, "method_not_allowed", "POST"),
        ("DELETE", "/api/v1/incidents", 405, "method_not_allowed", "GET, HEAD"),
        ("GET", "/webhooks/nagios", 404, "not_found", None),
        ("GET", "/api/v1/incidents/INC-20261121-001/card", 404, "not_found", None),
        ("GET", f"/api/v1/incidents?limit={'9' * 5000}", 400, "bad_limit", None),
        ("GET", "/api/v1/incidents?before=\N{ARABIC-INDIC DIGIT THREE}", 400, "bad_before", None),
    ],
)
def test_wrong_addresses_methods_and_numbers_are_told_in_the_envelope(
    bot: Client, method: str, path: str, status: int, code: str, allow: str | None
) -> None:
    """What no route or no reader takes is answered like every other mistake, not with a bare text or a defect."""
    answer = bot.http.request(method, path, headers={"authorization": f"Bearer {ADMIN}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers.get("allow") == allow
    assert answer.json()["error"]["message"]
