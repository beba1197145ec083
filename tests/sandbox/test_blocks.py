"""Block Kit's limits, each at its edge."""

from typing import Any

import pytest

from bot.sandbox.blocks import check_message_blocks, check_view


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def button(**fields: Any) -> dict[str, Any]:
    return {"type": "button", "action_id": "go", "text": plain("Go")} | fields


def options(count: int, text: str = "t") -> list[dict[str, Any]]:
    return [{"text": plain(text), "value": str(n)} for n in range(count)]


def actions(*elements: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "actions", "elements": list(elements)}]


def section(text: Any) -> list[dict[str, Any]]:
    return [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]


FINE: list[list[dict[str, Any]]] = [
    [{"type": "divider"}] * 50,
    section("x" * 3000),
    [{"type": "header", "text": plain("x" * 150)}],
    [
        {
            "type": "section",
            "fields": [plain("x" * 2000)] * 5 + [plain("x")] * 5,
            "accessory": button(url="https://e.com", value=""),
        }
    ],
    [{"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 10}],
    actions(*[button(action_id=str(n), text=plain("x" * 75), value="v" * 2000) for n in range(25)]),
    actions({"type": "checkboxes", "action_id": "c", "options": options(10)}),
    actions({"type": "static_select", "action_id": "s", "options": options(100), "initial_option": options(1)[0]}),
    actions({"type": "overflow", "action_id": "o", "options": options(5)}),
    actions({"type": "users_select", "action_id": "u", "initial_user": "U1", "placeholder": plain("who")}),
    actions({"type": "datepicker", "action_id": "d", "initial_date": "2026-12-01"}),
    actions({"type": "datetimepicker", "action_id": "d", "initial_date_time": 1_700_000_000}),
    [{"type": "image", "image_url": "https://e.com/a.png", "alt_text": "a"}],
    [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": []}]}],
]


@pytest.mark.parametrize("blocks", FINE)
def test_what_is_within_the_limits_passes(blocks: list[dict[str, Any]]) -> None:
    """Blocks at their documented limits are taken."""
    assert check_message_blocks(blocks) == []


WRONG: list[tuple[Any, str]] = [
    ([{"type": "divider"}] * 51, "no more than 50 items"),
    (section("x" * 3001), "less than 3001"),
    (section(""), "more than 0"),
    ([{"type": "section"}], "missing required field: text"),
    ([{"type": "section", "fields": [plain("x")] * 11}], "no more than 10"),
    ([{"type": "section", "fields": [plain("x" * 2001)]}], "less than 2001"),
    (section("x" * 3000) * 4, "msg_blocks_too_long"),
    ([{"type": "section", "text": "bare"}], "must be an object"),
    ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "unsupported type: mrkdwn"),
    ([{"type": "header", "text": plain("x" * 151)}], "less than 151"),
    ([{"type": "context", "elements": [plain("x")] * 11}], "no more than 10"),
    ([{"type": "context", "elements": [button()]}], "unsupported type: button"),
    (actions(*[button(action_id=str(n)) for n in range(26)]), "no more than 25"),
    (actions(), "no less than 1"),
    (actions(button(), button()), "duplicate action_id: go"),
    (actions(button(action_id="x" * 256)), "less than 256"),
    (actions(button(text=plain("x" * 76))), "less than 76"),
    (actions(button(text={"type": "mrkdwn", "text": "x"})), "unsupported type: mrkdwn"),
    (actions(button(value="x" * 2001)), "less than 2001"),
    (actions(button(url="x" * 3001)), "less than 3001"),
    (actions(button(style="blue")), "unsupported style"),
    (actions(button(confirm={"title": plain("x")})), "missing required field: text"),
    (actions(button(colour="red")), "invalid additional property: colour"),
    (actions({"type": "checkboxes", "action_id": "c", "options": options(11)}), "no more than 10"),
    (actions({"type": "radio_buttons", "action_id": "c", "options": options(11)}), "no more than 10"),
    (actions({"type": "static_select", "action_id": "c", "options": options(101)}), "no more than 100"),
    (actions({"type": "static_select", "action_id": "c"}), "missing required field: options"),
    (actions({"type": "static_select", "action_id": "c", "options": options(1, "x" * 76)}), "less than 76"),
    (actions({"type": "overflow", "action_id": "c", "options": options(6)}), "no more than 5"),
    (actions({"type": "plain_text_input", "action_id": "c"}), "unsupported type: plain_text_input"),
    (actions({"type": "datepicker", "action_id": "c", "initial_date": "soon"}), "must be a date"),
    ([{"type": "divider", "block_id": "b"}] * 2, "already exists"),
    ([{"type": "carousel"}], "unsupported type: carousel"),
    ([{"type": "image", "image_url": "https://e.com/a.png"}], "missing required field: alt_text"),
    ({"type": "divider"}, "must be an array"),
]


@pytest.mark.parametrize(("blocks", "complaint"), WRONG)
def test_what_is_beyond_a_limit_is_refused(blocks: Any, complaint: str) -> None:
    """Each broken limit is reported in words that name it."""
    assert any(complaint in message for message in check_message_blocks(blocks))


def modal(**fields: Any) -> dict[str, Any]:
    entry = {"type": "input", "label": plain("Why"), "element": {"type": "plain_text_input", "action_id": "why"}}
    base = {"type": "modal", "title": plain("Declare"), "submit": plain("Go"), "blocks": [entry]}
    return {key: value for key, value in (base | fields).items() if value is not None}


@pytest.mark.parametrize(
    ("view", "complaint"),
    [
        (modal(), None),
        (modal(title=plain("x" * 25)), "less than 25"),
        (modal(submit=plain("x" * 25)), "less than 25"),
        (modal(submit=None), "missing required field: submit"),
        (modal(private_metadata="x" * 3001), "less than 3001"),
        (modal(callback_id="x" * 256), "less than 256"),
        (modal(blocks=[{"type": "divider"}] * 101), "no more than 100"),
        (modal(type="sheet"), "unsupported type: sheet"),
        (modal(colour="red"), "invalid additional property"),
        ({"type": "home", "blocks": []}, None),
    ],
)
def test_views_have_limits_of_their_own(view: dict[str, Any], complaint: str | None) -> None:
    """A modal's own fields and the number of its blocks are checked."""
    messages = check_view(view)
    assert messages == [] if complaint is None else any(complaint in m for m in messages)
