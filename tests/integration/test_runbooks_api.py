"""The runbooks over HTTP: filters, ETags, roles, and the error envelope."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.conftest import API_TOKEN, Client

ADMIN = "admin-token"
PATH = "/api/v1/admin/runbooks"
GENERAL = "ops.general.first-response"


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"SITREP_API_TOKENS": f"viewer:{API_TOKEN},admin:{ADMIN}"}


def ask(bot: Client, path: str = PATH, *, token: str = ADMIN, tag: str = "", **params: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} | ({"if-none-match": tag} if tag else {})
    return bot.http.get(path, params=params or None, headers=headers)


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["runbooks"]]


def test_the_catalog_can_be_filtered(bot: Client) -> None:
    """By a signal, by the owner whatever its case, by a review that is due; together too."""
    everything = ids(ask(bot))
    assert everything == sorted(everything)
    assert GENERAL in everything
    assert ids(ask(bot, signal="HighErrorRate"))[:1] == ["ops.api.error-rate"]
    assert ids(ask(bot, signal="nothing")) == []
    owned = ids(ask(bot, owner="platform sre"))
    assert GENERAL in owned
    assert ids(ask(bot, owner="platform sre", signal="HighErrorRate"))[:1] == ["ops.api.error-rate"]
    assert sorted(ids(ask(bot, stale="true")) + ids(ask(bot, stale="false"))) == everything


def test_one_runbook_comes_with_its_steps(bot: Client) -> None:
    """The list leaves the steps out; the runbook itself has them, with their code and their way back."""
    assert "sections" not in ask(bot).json()["runbooks"][0]
    book = ask(bot, f"{PATH}/{GENERAL}").json()
    assert [section["title"] for section in book["sections"]][:2] == ["Symptoms", "Diagnosis"]
    assert book["sections"][1]["steps"][0]["number"] == 1
    assert book["stale"] in {True, False}


def test_who_has_it_already_gets_no_body(bot: Client) -> None:
    """The same content has the same tag, and is sent once."""
    for path in (PATH, f"{PATH}/{GENERAL}"):
        first = ask(bot, path)
        tag = first.headers["etag"]
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = ask(bot, path, tag=known)
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert ask(bot, path, tag='"other"').status_code == 200
    assert ask(bot).headers["etag"] != ask(bot, signal="HighErrorRate").headers["etag"]


@pytest.mark.parametrize(
    ("path", "params", "status", "code"),
    [
        (f"{PATH}/ops.absent", {}, 404, "no_runbook"),
        (PATH, {"stale": "perhaps"}, 400, "bad_stale"),
        (PATH, {"team": "x"}, 400, "bad_filter"),
    ],
)
def test_a_wrong_question_names_the_fix(bot: Client, path: str, params: dict[str, str], status: int, code: str) -> None:
    """Errors come in the envelope, with a code and what to do."""
    answer = ask(bot, path, **params)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"]


def test_only_an_admin_may_look(bot: Client) -> None:
    """A viewer is refused, and so is whoever has no token."""
    assert ask(bot, token=API_TOKEN).status_code == 403
    assert ask(bot, token="wrong").status_code == 401
