"""Whatever becomes of a real body on its way, it is taken in, refused as broken or as too large: never a defect."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Client
from tests.integration.bodies import alert, body, grafana, grafana_test, recorded, warning

ODD: list[Any] = [
    None, True, False, 0, -1, 7, 1.5, 1e308, 10**30, "", " ", "firing", "RESOLVED", "ok", "x" * 5000, "\x00\ud800",
    "é" * 300, [], {}, [None], {"a": None}, {"": ""}, [[[]]], "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00",
    "2026-11-21T06:55:43", "http://x/<|>", "javascript:x", "NaN", "alertname", "critical",
]  # fmt: skip
REAL: list[Any] = [
    *(json.loads(recorded(n)) for n in range(1, 9)),
    body(alert("aa"), warning("bb"), alert("cc", "resolved")),
    grafana(),
    grafana_test(),
]


def mutate(value: Any, dice: random.Random) -> Any:
    """Change a body at a random place: another value, a field less, twice, or renamed."""
    if not isinstance(value, (dict, list)) or not value or dice.random() < 0.15:
        return dice.choice(ODD)
    if isinstance(value, list):
        made = list(value)
        at = dice.randrange(len(made))
        act: Callable[[], None] = dice.choice(
            [
                lambda: made.pop(at) and None,
                lambda: made.append(made[at]),
                lambda: made.__setitem__(at, mutate(made[at], dice)),
            ]
        )
        act()
        return made
    name = dice.choice(sorted(value))
    kept = dict(value)
    what = dice.random()
    if what < 0.15:
        del kept[name]
    elif what < 0.25:
        kept[str(dice.choice(ODD))] = kept.pop(name)
    else:
        kept[name] = mutate(kept[name], dice)
    return kept


def spoil(raw: bytes, dice: random.Random) -> bytes:
    """Change the bytes themselves: cut, flip, double or write them in another encoding."""
    at = dice.randrange(len(raw))
    return dice.choice(
        [raw[:at], raw[at:], raw[:at] + bytes([dice.randrange(256)]) + raw[at + 1 :], raw + raw, b"\xef\xbb\xbf" + raw]
    )


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_a_spoiled_body_is_never_a_defect(bot: Client, seed: int) -> None:
    """Random changes of recorded and made bodies are answered 202 or 400, and what is sent after them is taken in."""
    dice = random.Random(seed)
    made = dice.choice(REAL)
    for _ in range(dice.randint(1, 4)):
        made = mutate(made, dice)
    raw = json.dumps(made).encode()
    if dice.random() < 0.2:
        raw = spoil(raw, dice)
    answer = bot.alertmanager(raw)
    assert answer.status_code in {202, 400}, (answer.status_code, answer.text, raw[:2000])
    if answer.status_code == 400:
        assert answer.json()["error"]["code"] == "malformed"


def test_real_bodies_are_taken_in_after_all_that(bot: Client) -> None:
    """Each of the bodies that are changed above is a good one itself."""
    for made in REAL:
        assert bot.alertmanager(made).status_code == 202
