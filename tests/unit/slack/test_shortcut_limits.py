"""Whatever a message says, the forms and answers of its shortcuts keep Slack's limits."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.incidents.model import Incident, Status
from bot.incidents.policy import Severity
from bot.sandbox.blocks import check_message_blocks, check_view
from bot.slack.shortcuts import METADATA, Noted, Spot, follow_up, pick, there
from tests.unit.slack.test_limits import QUICK, words

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
said = words | st.sampled_from(['"\\' * 2000, "\x7f" * 4000, "ä" * 4000, "\u2028" * 1500, "\ud83d" * 10]) | st.text()
ids = st.sampled_from(["", "U0123456789", "B0123456789AB"])


@st.composite
def noted(draw: Any) -> Noted:
    return Noted(
        channel="C0123456789",
        ts="1795230000.000100",
        thread_ts=draw(st.sampled_from(["", "1795229999.000100"])),
        number=draw(st.sampled_from(["", "INC-20261121-001"])),
        author=draw(ids),
        text=draw(said),
        edited=draw(st.sampled_from(["", "1795230001.000100"])),
    )


@st.composite
def incidents(draw: Any) -> list[Incident]:
    titles = draw(st.lists(said, min_size=1, max_size=3))
    count = draw(st.sampled_from([1, 3, 130]))
    return [
        Incident(f"INC-20261121-{n:03}", titles[n % len(titles)], Severity.SEV2, Status.INVESTIGATING, NOW)
        for n in range(count)
    ]


@settings(max_examples=150, deadline=None, phases=QUICK)
@given(noted(), incidents(), said)
def test_every_form_fits(about: Noted, found: list[Incident], meant: str) -> None:
    """Its fields and its metadata, which name the message whatever becomes of its text."""
    for view in (pick(about, found), follow_up(about, meant, found)):
        assert check_view(view) == []
        assert len(view["private_metadata"]) <= METADATA
        kept = Noted.unpacked(view["private_metadata"])
        assert (kept.channel, kept.ts, kept.thread_ts) == (about.channel, about.ts, about.thread_ts)
        assert (kept.number, kept.author, kept.edited) == (about.number, about.author, about.edited)
        assert about.text.startswith(kept.text.removesuffix("…"))


@settings(max_examples=60, deadline=None, phases=QUICK)
@given(incidents())
def test_the_choice_is_among_the_incidents(found: list[Incident]) -> None:
    """The first hundred of them, each by its number."""
    view = pick(Noted("C0123456789", "1795230000.000100"), found)
    options = [option["value"] for option in view["blocks"][0]["element"]["options"]]
    assert options == [incident.number for incident in found[:100]]


@settings(max_examples=60, deadline=None, phases=QUICK)
@given(said)
def test_every_answer_fits(text: str) -> None:
    """With its button, whose value says which message it takes off which timeline."""
    spot = Spot("C0123456789ABCDEF", "17952300001.000100", "INC-20261121-12345")
    blocks = there(text or "x", spot)
    assert check_message_blocks(blocks) == []
    value = blocks[-1]["elements"][0]["value"]
    assert len(value) <= 2000
    assert Spot.unpacked(value) == spot
    assert json.dumps(blocks)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "|",
        "||",
        "C1|1.1",
        "c1|1.1|INC-1",
        "C1|1|INC-1",
        "C1|1.1|INC-1|",
        "C1|\u0661.1|INC-1",
        "C" * 33 + "|1.1|INC-1",
    ],
)
def test_a_value_that_names_no_message_is_none(value: str) -> None:
    """Whatever else it holds."""
    assert Spot.unpacked(value) is None
