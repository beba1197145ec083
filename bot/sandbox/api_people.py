"""The `auth.*`, `users.*`, `usergroups.*` and `files.*` methods."""

from collections.abc import Callable

from bot.sandbox.args import Args
from bot.sandbox.model import BOT_ID, TEAM_ID, TEAM_NAME, File, Json, SlackError, invalid
from bot.sandbox.workspace import Workspace


def auth_test(ws: Workspace, _args: Args) -> Json:
    who = {"user": ws.bot.name, "user_id": ws.bot.id, "bot_id": BOT_ID}
    return {"url": f"{ws.base_url}/", "team": TEAM_NAME, "team_id": TEAM_ID, "is_enterprise_install": False} | who


def api_test(_ws: Workspace, args: Args) -> Json:
    return {"args": dict(args.values)}


def users_list(ws: Workspace, args: Args) -> Json:
    page, meta = args.page(list(ws.users.values()))
    return {"members": [u.api() for u in page], "response_metadata": meta}


def users_info(ws: Workspace, args: Args) -> Json:
    user = ws.users.get(args.text("user"))
    if user is None:
        raise SlackError("user_not_found")
    return {"user": user.api()}


def users_lookup(ws: Workspace, args: Args) -> Json:
    email = args.text("email").lower()
    for user in ws.users.values():
        if user.email.lower() == email and not user.deleted:
            return {"user": user.api()}
    raise SlackError("users_not_found")


def usergroups_list(ws: Workspace, args: Args) -> Json:
    groups = [g.api() for g in ws.usergroups.values()]
    if not args.flag("include_users"):
        for group in groups:
            del group["users"]
    return {"usergroups": groups}


def usergroups_users(ws: Workspace, args: Args) -> Json:
    group = ws.usergroups.get(args.text("usergroup"))
    if group is None:
        raise SlackError("no_such_subteam")
    return {"users": list(group.users)}


def files_get_upload_url(ws: Workspace, args: Args) -> Json:
    name, length = args.text("filename"), args.text("length")
    if not length.isdigit() or int(length) < 1:
        raise invalid("invalid_arguments", ["must be a positive integer [json-pointer:/length]"])
    file = File(ws.new_id("F"), name, name, ws.bot.id, ws.now(), int(length))
    file.url = f"{ws.base_url}/files/{file.id}/{name}"
    ws.files[file.id] = file
    return {"upload_url": f"{ws.base_url}/upload/{file.id}", "file_id": file.id}


def files_complete(ws: Workspace, args: Args) -> Json:
    wanted = args.json("files")
    if not isinstance(wanted, list) or not wanted or not all(isinstance(f, dict) for f in wanted):
        raise invalid("invalid_arguments", ["missing required field: files"])
    files = []
    for entry in wanted:
        file = ws.files.get(str(entry.get("id")))
        if file is None or file.content is None:
            raise SlackError("file_not_found")
        if file.complete:
            raise SlackError("file_update_failed")
        file.title = str(entry.get("title") or file.name)
        files.append(file)
    # checked before anything is marked, so that a refusal leaves the files to be shared again
    channel = args.channel("channel_id") if "channel_id" in args else None
    thread = args.maybe("thread_ts") or None
    if thread and (channel is None or channel.find(thread) is None):
        raise SlackError("thread_not_found")
    for file in files:
        file.complete = True
    if channel is not None:
        ws.post(channel.id, ws.bot.id, args.maybe("initial_comment"), files=files, thread_ts=thread)
    return {"files": [f.api() for f in files]}


def files_info(ws: Workspace, args: Args) -> Json:
    file = ws.files.get(args.text("file"))
    if file is None:
        raise SlackError("file_not_found")
    return {"file": file.api()}


METHODS: dict[str, Callable[[Workspace, Args], Json]] = {
    "auth.test": auth_test,
    "api.test": api_test,
    "users.list": users_list,
    "users.info": users_info,
    "users.lookupByEmail": users_lookup,
    "usergroups.list": usergroups_list,
    "usergroups.users.list": usergroups_users,
    "files.getUploadURLExternal": files_get_upload_url,
    "files.completeUploadExternal": files_complete,
    "files.info": files_info,
}
