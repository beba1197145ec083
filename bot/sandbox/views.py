"""Modals and Home tabs: the `views.*` methods, and the state that their inputs have."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from bot.sandbox.args import Args
from bot.sandbox.blocks import check_view
from bot.sandbox.model import Json, SlackError, View, invalid
from bot.sandbox.workspace import Workspace

STACK_LIMIT = 3


def checked_view(ws: Workspace, view: Any, kind: str) -> Json:
    """The view with all ids, if Slack would take it. Raises SlackError `invalid_arguments` and the like."""
    wrong = check_view(view)
    if not wrong and view["type"] != kind:
        wrong = [f"unsupported type: {view['type']} [json-pointer:/view/type]"]
    if wrong:
        raise invalid("view_too_large" if wrong[-1].startswith("view_too_large") else "invalid_arguments", wrong)
    body = copy.deepcopy(dict(view))
    body["blocks"] = ws.with_ids(body["blocks"])
    return body


def put_on_screen(ws: Workspace, user: str, body: Json, *, fresh: bool) -> View:
    """Show a modal to that user id; `fresh` begins a new stack, otherwise it goes on top."""
    stack = ws.stacks.setdefault(user, [])
    if fresh:
        for old in stack:
            ws.views.pop(old, None)
        stack.clear()
    if len(stack) >= STACK_LIMIT:
        raise SlackError("push_limit_reached")
    view_id = ws.new_id("V")
    view = View(view_id, user, body, stack[0] if stack else view_id, stack[-1] if stack else None)
    view.opened_by = ws.asks.recent(user)
    ws.views[view.id] = view
    stack.append(view.id)
    return ws.changed(view)


def replace(ws: Workspace, view: View, body: Json) -> View:
    """Give a view on the screen other content; its id stays."""
    view.body, view.errors = body, {}
    view.version += 1
    return ws.changed(view)


def take_off(ws: Workspace, user: str, view_id: str | None = None) -> None:
    """Close one modal and what lies on it, or all of that user's when no id is given."""
    stack = ws.stacks.get(user, [])
    keep = stack.index(view_id) if view_id in stack else 0
    for gone in stack[keep:]:
        ws.views.pop(gone, None)
    del stack[keep:]
    ws.changed(None)


def _view_arg(ws: Workspace, args: Args, kind: str) -> Json:
    body = checked_view(ws, args.json("view"), kind)
    external = body.get("external_id")
    clash = next((v for v in ws.views.values() if external and v.body.get("external_id") == external), None)
    if clash is not None and clash.id != args.maybe("view_id") and external != args.maybe("external_id"):
        raise SlackError("duplicate_external_id")
    return body


def open_(ws: Workspace, args: Args) -> Json:
    trigger_id, body = args.text("trigger_id"), _view_arg(ws, args, "modal")
    trigger = ws.spend_trigger(trigger_id)
    return {"view": put_on_screen(ws, trigger.user, body, fresh=True).api()}


def push(ws: Workspace, args: Args) -> Json:
    trigger_id, body = args.text("trigger_id"), _view_arg(ws, args, "modal")
    trigger = ws.spend_trigger(trigger_id)
    if not ws.stacks.get(trigger.user):
        raise SlackError("not_found")
    return {"view": put_on_screen(ws, trigger.user, body, fresh=False).api()}


def update(ws: Workspace, args: Args) -> Json:
    external = args.maybe("external_id")
    view = ws.views.get(args.maybe("view_id"))
    if view is None and external:
        view = next((v for v in ws.views.values() if v.body.get("external_id") == external), None)
    if view is None:
        raise SlackError("not_found")
    if "hash" in args and args.text("hash") != view.hash:
        raise SlackError("hash_conflict")
    return {"view": replace(ws, view, _view_arg(ws, args, view.type)).api()}


def publish(ws: Workspace, args: Args) -> Json:
    user = ws.users.get(args.text("user_id"))
    if user is None:
        raise SlackError("user_not_found")
    body = checked_view(ws, args.json("view"), "home")
    view = ws.home(user.id)
    if view is None:
        view = View(ws.new_id("V"), user.id, body, "")
        view.root_id = view.id
        ws.views[view.id] = view
        ws.homes[user.id] = view.id
        return {"view": ws.changed(view).api()}
    if "hash" in args and args.text("hash") != view.hash:
        raise SlackError("hash_conflict")
    return {"view": replace(ws, view, body).api()}


METHODS: dict[str, Callable[[Workspace, Args], Json]] = {
    "views.open": open_,
    "views.push": push,
    "views.update": update,
    "views.publish": publish,
}


# -- inputs -----------------------------------------------------------------------------------------------------


def interactive(blocks: Iterable[Json]) -> Iterator[tuple[str, Json]]:
    """Every element that has an `action_id`, with its block's id."""
    for block in blocks:
        for element in (block.get("accessory"), block.get("element"), *block.get("elements", [])):
            if isinstance(element, Mapping) and "action_id" in element:
                yield block["block_id"], dict(element)


def initial_state(element: Json) -> Json | None:
    """The state of an untouched input; None for a button and others without state."""
    kind = element["type"]
    state: Json = {"type": kind}
    match kind:
        case "plain_text_input":
            return state | {"value": element.get("initial_value")}
        case "static_select" | "radio_buttons":
            return state | {"selected_option": element.get("initial_option")}
        case "checkboxes":
            return state | {"selected_options": element.get("initial_options", [])}
        case "users_select":
            return state | {"selected_user": element.get("initial_user")}
        case "conversations_select":
            return state | {"selected_conversation": element.get("initial_conversation")}
        case "datepicker":
            return state | {"selected_date": element.get("initial_date")}
        case "datetimepicker":
            return state | {"selected_date_time": element.get("initial_date_time")}
        case _:
            return None


def chosen_state(element: Json, value: Any) -> Json:
    """The state after somebody chose `value` (an option's value, a list of them, a user id, text, a timestamp).

    Raises LookupError when there is no such option.
    """
    state = initial_state(element) or {"type": element["type"]}
    if value is None:
        return state
    match element["type"]:
        case "plain_text_input":
            return state | {"value": str(value) or None}
        case "static_select" | "radio_buttons" | "overflow":
            return state | {"selected_option": _option(element, str(value))}
        case "checkboxes":
            return state | {"selected_options": [_option(element, str(v)) for v in value]}
        case "users_select":
            return state | {"selected_user": value}
        case "conversations_select":
            return state | {"selected_conversation": value}
        case "datepicker":
            return state | {"selected_date": value}
        case "datetimepicker":
            return state | {"selected_date_time": int(value)}
        case kind:
            raise LookupError(f"a {kind} has nothing to choose")


def _option(element: Json, value: str) -> Json:
    groups = [element.get("options", []), *(g["options"] for g in element.get("option_groups", []))]
    for group in groups:
        for option in group:
            if option["value"] == value:
                return dict(option)
    raise LookupError(f"no option {value!r} in {element['action_id']}")


def state_of(blocks: Iterable[Json], chosen: Mapping[str, Mapping[str, Any]]) -> Json:
    """`state.values` for all inputs: `chosen` by block and action where given, their initial state elsewhere."""
    values: dict[str, Json] = {}
    for block_id, element in interactive(blocks):
        state = chosen.get(block_id, {}).get(element["action_id"]) or initial_state(element)
        if state is not None:
            values.setdefault(block_id, {})[element["action_id"]] = state
    return values
