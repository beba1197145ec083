"""Working through a runbook in the channel: tick, skip, undo, turn the page, take another, take a change back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.model import Message
from tests.conftest import ROOT, Client, Hands, InProcess, both_databases, wait_for
from tests.integration.bodies import alert, body
from tests.integration.world import World
from tests.quick import shipped

VAULT = "ops.vault.hsm"
LONG = "ops.long.one"
ERROR_RATE = next(book for book in shipped() if book.id == "ops.api.error-rate")
STEPS = len(ERROR_RATE.steps)
UNDO = next(step.number for step in ERROR_RATE.steps if step.rollback)  # the first step that changes something


@pytest.fixture
def runbooks(tmp_path: Path) -> Path:
    """The runbooks that ship, one of sixty steps, and one whose steps somebody has to approve."""
    folder = tmp_path / "runbooks"
    shutil.copytree(ROOT / "runbooks", folder)
    steps = "\n".join(
        f"{n}. Look at shard {n}.\n\n    ```sh\n    look ${{{{ pod }}}} {n}\n    ```\n" for n in range(1, 61)
    )
    (folder / "long.md").write_text(
        "---\nid: ops.long.one\ntitle: Sixty shards\nseverity_hint: sev2\nowner_team: Platform SRE\n"
        f"last_reviewed_at: 2026-11-21\nurl: runbooks/long.md\nsignals: [SixtyShards]\n---\n\n## Diagnosis\n\n{steps}"
    )
    asked = "\n".join(
        f"{n}. Do it.\n\n   ```sh\n   {command}\n   ```\n\n   Approval: Carol.\n"
        for n, command in enumerate(("delete ${{ pod }}", "drain ${{ pod }}", "drop ${{ tenant }}"), start=1)
    )
    (folder / "approved.md").write_text(
        "---\nid: ops.approved.one\ntitle: Approved steps\nseverity_hint: sev2\nowner_team: Platform SRE\n"
        f"last_reviewed_at: 2026-11-21\nurl: runbooks/approved.md\nsignals: [Approved]\n---\n\n## Diagnosis\n\n{asked}"
    )
    return folder


@pytest.fixture
def environ(environ: dict[str, str], runbooks: Path) -> dict[str, str]:
    return environ | {"SITREP_RUNBOOKS": str(runbooks)}


def said(message: Message) -> str:
    return f"{message.text} {message.blocks}"


def book(bot: Client, channel: str, words: str = "Runbook: ") -> Message:
    """The message of the runbook that is worked through: the last one that has steps to tick or to undo."""
    found = [m for m in bot.workspace.channel(channel).log if words in str(m.blocks) and "runbook_" in str(m.blocks)]
    return found[-1]


def press(bot: Client, user: str, channel: str, action: str, words: str = "Runbook: ") -> None:
    assert bot.people.press(user, channel, book(bot, channel, words).ts, action).status == 200


def boxes(bot: Client, user: str, channel: str, *ticked: int) -> None:
    """Leave these boxes of the checklist ticked, and no others."""
    message = book(bot, channel, "First ten minutes")
    assert bot.people.select(user, channel, message.ts, "checklist_ticks", [str(n) for n in ticked]).status == 200


def submit(bot: Client, user: str, **values: Any) -> dict[str, Any]:
    reply = bot.people.submit(user, bot.workspace.open_views(user)[-1].id, values)
    assert reply.status == 200
    return dict(reply.json)


def whispers(bot: Client, user: str) -> str:
    """All that only they have seen: in a channel, or as a direct message where they are not in it."""
    seen = [m for c in bot.workspace.channels.values() for m in c.log if m.ephemeral_to == bot.workspace.user(user).id]
    return " ".join(said(m) for m in [*seen, *bot.workspace.direct(user).log])


def opened_by(bot: Client, name: str, **labels: str) -> tuple[str, str]:
    """Open an incident by an alert; gives its number and channel."""
    one = alert("aa", labels={**alert()["labels"], "alertname": name, **labels})
    number = bot.alertmanager(body(one, group=name)).json()["outcome"].removeprefix("declared ")
    bot.wait_opened(number)
    return number, bot.room(number)


@both_databases
def test_a_step_is_ticked_skipped_and_undone(bot: Client) -> None:
    """The message says who and when, the card how far it is and what is next, the timeline all of it."""
    number, channel = opened_by(bot, "HighErrorRate")
    press(bot, "bob", channel, "runbook_done_1")
    wait_for(lambda: "Done by <@" in said(book(bot, channel)), what="the tick")
    wait_for(lambda: f"1 of {STEPS} done. Next: *2.*" in said(bot.workspace.pinned(channel)[0]), what="the card")
    press(bot, "alice", channel, "runbook_skip")
    assert submit(bot, "alice", step="2") == {
        "response_action": "errors",
        "errors": {"why": "Say why you skip it. The timeline shows it."},
    }
    assert submit(bot, "alice", step="2", why="only <!channel> one service") == {}
    wait_for(lambda: f"1 of {STEPS} done, 1 skipped." in said(book(bot, channel)), what="the skip")
    assert "only &lt;!channel&gt; one service" in said(book(bot, channel))
    press(bot, "dana", channel, "runbook_undo_1")
    wait_for(lambda: f"0 of {STEPS} done, 1 skipped.* Next: *1.*" in said(book(bot, channel)), what="the undoing")
    told = [e for e in bot.events(number) if e["kind"].startswith("runbook_step")]
    assert [(e["kind"], e["actor"]["name"], e["data"]["step"]) for e in told] == [
        ("runbook_step_done", "bob", 1),
        ("runbook_step_skipped", "alice", 2),
        ("runbook_step_undone", "dana", 1),
    ]


def test_whoever_ticks_second_is_told(bot: Client) -> None:
    """Before the message could be edited: one tick, and a line for them alone says who was quicker."""
    number, channel = opened_by(bot, "HighErrorRate")
    bot.workspace.latency_by_method["chat.update"] = 1.0
    press(bot, "bob", channel, "runbook_done_1")
    press(bot, "alice", channel, "runbook_done_1")
    wait_for(lambda: "Step 1 is already done: bob ticked it" in whispers(bot, "alice"), what="the answer")
    wait_for(lambda: f"1 of {STEPS} done" in said(book(bot, channel)), what="the tick")
    assert bot.kinds(number).count("runbook_step_done") == 1


def test_an_approval_is_asked_for_and_kept(bot: Client) -> None:
    """A step that the CISO must agree to opens a form; without a name nothing is ticked."""
    number, channel = opened_by(bot, "VaultHSMUnavailable")
    assert bot.incident(number)["runbook_id"] == VAULT
    press(bot, "bob", channel, "runbook_done_10")
    assert "approval of CISO" in str(bot.workspace.open_views("bob")[-1].body)
    assert "person" in submit(bot, "bob")["errors"]
    assert submit(bot, "bob", person=bot.workspace.user("dana").id, name="call at 03:10") == {}
    event = bot.wait_event(number, "runbook_step_done")
    assert event["data"]["approved_by"] == "dana (call at 03:10)"
    wait_for(lambda: "approved by dana (call at 03:10)" in said(book(bot, channel)), what="the approval")


def test_sixty_steps_are_turned_page_by_page(bot: Client) -> None:
    """A page for everybody, back to the next step after a tick, and no tick is lost on the way."""
    _, channel = opened_by(bot, "SixtyShards")
    press(bot, "bob", channel, "runbook_done_3")
    wait_for(lambda: "1 of 60 done" in said(book(bot, channel)), what="the tick")
    press(bot, "bob", channel, "runbook_page_1")
    wait_for(lambda: "shard 20" in said(book(bot, channel)), what="page 2")
    assert "Next: *1.*" in said(book(bot, channel))
    press(bot, "alice", channel, "runbook_page_2")
    wait_for(lambda: "shard 30" in said(book(bot, channel)), what="page 3")
    press(bot, "alice", channel, "runbook_done_25")
    wait_for(lambda: "2 of 60 done" in said(book(bot, channel)), what="the second tick")
    assert "shard 3." in said(book(bot, channel))
    assert "runbook_undo_3" in said(book(bot, channel))
    blocks = book(bot, channel).blocks
    assert len(blocks) <= 50


def test_another_runbook_is_taken_and_the_first_taken_up_again(bot: Client) -> None:
    """By words, by id, by a button; each keeps its ticks, and what is left behind is folded."""
    number, channel = opened_by(bot, "HighErrorRate")
    press(bot, "bob", channel, "runbook_done_1")
    assert "Posting" in bot.slash("runbook vault", channel=channel)
    wait_for(lambda: VAULT in said(book(bot, channel)), what="the other runbook")
    folded = wait_for(lambda: bot.workspace.find(channel, "Replaced by"), what="the folded one")
    assert f"1 of {STEPS} done" in said(folded)
    assert bot.wait_event(number, "runbook_posted", 2)["data"]["reason"] == "asked for by alice"
    assert bot.people.press("bob", channel, folded.ts, "runbook_swap").status == 200
    bot.wait_event(number, "runbook_posted", 3)
    wait_for(lambda: f"1 of {STEPS} done" in said(book(bot, channel, "error-rate")), what="the first one again")
    assert "again" in bot.slash("runbook", channel=channel)
    bot.wait_event(number, "runbook_posted", 4)
    wait_for(lambda: bot.workspace.find(channel, "Continued below"), what="its old message")


@pytest.mark.parametrize(
    ("words", "answer"),
    [("postgres", "Several match"), ("zzz", "No runbook or checklist matches zzz"), ("<!here>", "matches @here")],
)
def test_words_that_fit_none_or_several_say_what_to_type(bot: Client, words: str, answer: str) -> None:
    """Nothing is posted; the answer names the next thing to type."""
    number, channel = opened_by(bot, "HighErrorRate")
    assert answer in bot.slash(f"runbook {words}", channel=channel)
    assert bot.kinds(number).count("runbook_posted") == 1


def test_the_posted_version_stays(bot: Client, runbooks: Path, environ: dict[str, str], service: InProcess) -> None:
    """A file that is edited while the incident runs changes neither the steps nor what is ticked."""
    number, channel = opened_by(bot, "SixtyShards")
    file = runbooks / "long.md"
    file.write_text(file.read_text().replace("Look at shard", "Go round shard").replace("60. ", "60. Do not "))
    service.stop()
    service.start()
    press(bot, "bob", channel, "runbook_done_1")
    wait_for(lambda: "1 of 60 done" in said(book(bot, channel)), what="the tick")
    assert "Look at shard 2" in said(book(bot, channel))
    assert "Go round" not in said(book(bot, channel))
    assert "Look at shard 1" in bot.wait_event(number, "runbook_step_done")["text"]
    file.unlink()
    service.stop()
    service.start()
    press(bot, "bob", channel, "runbook_done_2")
    wait_for(lambda: "2 of 60 done" in said(book(bot, channel)), what="the second tick")


def test_a_command_is_kept_as_it_was_shown(bot: Client) -> None:
    """With the pod that the alert named then; an id that is found later fills in what lacked it."""
    number, channel = opened_by(bot, "SixtyShards", pod="p-1")
    assert "look p-1 1" in said(book(bot, channel))
    later = alert("bb", labels={**alert()["labels"], "alertname": "SixtyShards", "pod": "p-0"})
    bot.alertmanager(body(alert("aa", labels=later["labels"]), later, group="SixtyShards"))
    press(bot, "bob", channel, "runbook_done_1")
    data = bot.wait_event(number, "runbook_step_done")["data"]
    assert data["command_shown"] == "look p-1 1"
    assert "command" not in data
    markdown = bot.get(f"/api/v1/incidents/{number}/timeline", format="md").text
    assert "**Command shown:** `look p-1 1`" in markdown
    assert "**Ran:**" not in markdown
    _, channel = opened_by(bot, "OutboxStuck", runbook_id="ops.correlation.triage", cluster="other", service="other")
    assert "⟨correlation_id⟩" in said(book(bot, channel))
    envelope = {"error": {"code": "internal", "correlation_id": "c-77", "details": {"trace_id": "t-1"}}}
    bot.slash(f"note {json.dumps(envelope)}", channel=channel)
    wait_for(lambda: "c-77" in said(book(bot, channel)), what="the id in the command")


def test_a_typed_word_says_that_a_command_was_run(bot: Client) -> None:
    """As it was shown or another one, with the tick or after it; a command with placeholders has to be typed."""
    number, channel = opened_by(bot, "SixtyShards", pod="p-1")
    assert "Step 1 is done." in bot.slash("done 1", "bob", channel)
    assert "command_shown" in bot.wait_event(number, "runbook_step_done")["data"]
    assert "has the command that you ran" in bot.slash("done 1 ran", "bob", channel)
    noted = bot.wait_event(number, "note")
    assert (noted["data"]["command"], noted["data"]["ran"], noted["actor"]["name"]) == ("look p-1 1", True, "bob")
    bot.slash("done step 2: ran it as shown", "bob", channel)
    assert bot.wait_event(number, "runbook_step_done", 2)["data"]["command"] == "look p-1 2"
    bot.slash("done 3 RAN `look p-1 3 &gt; out`", "bob", channel)
    assert bot.wait_event(number, "runbook_step_done", 3)["data"]["command"] == "look p-1 3 > out"
    assert "placeholders" in bot.slash("done 4 ran look ⟨pod⟩ 4", "bob", channel)
    assert "Give the step's number" in bot.slash("done with it", "bob", channel)
    assert bot.slash("done", "bob", channel) == ""
    view = bot.workspace.open_views("bob")[-1]
    assert bot.people.submit("bob", view.id, {"step": "5", "command": "as shown"}).json == {}
    assert bot.wait_event(number, "runbook_step_done", 4)["data"]["command"] == "look p-1 5"
    assert "**Ran:** `look p-1 2`" in bot.get(f"/api/v1/incidents/{number}/timeline", format="md").text


def test_the_form_of_an_approval_asks_whether_the_command_was_run(bot: Client) -> None:
    """A box says so; without it the command was only shown, and one with placeholders has no box."""
    number, channel = opened_by(bot, "Approved", pod="p-1")
    press(bot, "bob", channel, "runbook_done_1")
    assert "delete p-1" in str(bot.workspace.open_views("bob")[-1].body)
    assert submit(bot, "bob", name="Carol") == {}
    assert bot.wait_event(number, "runbook_step_done")["data"]["command_shown"] == "delete p-1"
    press(bot, "bob", channel, "runbook_done_2")
    assert submit(bot, "bob", name="Carol", ran=["ran"]) == {}
    assert bot.wait_event(number, "runbook_step_done", 2)["data"]["command"] == "drain p-1"
    press(bot, "bob", channel, "runbook_done_3")
    assert "ran" not in {b.get("block_id") for b in bot.workspace.open_views("bob")[-1].body["blocks"]}
    assert submit(bot, "bob", name="Carol", command="drop ⟨tenant⟩")["errors"]
    assert submit(bot, "bob", name="Carol", command="drop acme") == {}
    assert bot.wait_event(number, "runbook_step_done", 3)["data"]["command"] == "drop acme"


def test_a_change_is_taken_back_or_stays(bot: Client, hands: Hands, world: World) -> None:
    """It is on the card and in a message; when its time has come whoever made it is asked, and the buttons end it."""
    number, channel = opened_by(bot, "HighErrorRate")
    press(bot, "bob", channel, f"runbook_done_{UNDO}")
    words = f"completed step {UNDO} of `ops.api.error-rate`"
    message = wait_for(lambda: bot.workspace.find(channel, words), what="the change")
    assert "Roll back by" in said(message)
    wait_for(lambda: "*In place*" in said(bot.workspace.pinned(channel)[0]), what="the card")
    assert bot.wait_event(number, "runbook_step_done")["data"]["mitigation"]["expected_rollback_at"]
    bot.slash("resolve It holds", channel=channel)
    hands.advance(minutes=4 * 60 + 1)
    due = wait_for(lambda: bot.workspace.find(channel, "roll back, or make it permanent"), what="the reminder")
    assert f"<@{bot.workspace.user('bob').id}>" in said(due)
    wait_for(lambda: "rollback was due" in said(bot.workspace.pinned(channel)[0]), what="the card")
    assert bot.people.press("alice", channel, due.ts, "mitigation_rolled_back").status == 200
    wait_for(lambda: bot.workspace.find(channel, "Rolled back by alice"), what="the end")
    wait_for(lambda: "In place" not in said(bot.workspace.pinned(channel)[0]), what="the card")
    assert bot.people.press("bob", channel, due.ts, "mitigation_permanent").status == 200
    wait_for(lambda: "no longer in place" in whispers(bot, "bob"), what="the answer")
    world.settle()


def test_the_checklist_is_ticked_too(bot: Client) -> None:
    """The first-response checklist stands in the runbook's message, without what the runbook says as well."""
    number, channel = bot.open_one()
    assert "Settle the scope" not in said(book(bot, channel))
    boxes(bot, "bob", channel, 2)
    wait_for(lambda: "First ten minutes*: 1 of 7 done" in said(book(bot, channel)), what="the tick")
    assert "'text': 'bob, " in said(book(bot, channel))
    assert bot.wait_event(number, "runbook_step_done")["data"]["runbook_id"] == "checklist.first-response"
    assert bot.incident(number)["runbook_id"] == "ops.general.first-response"
    boxes(bot, "alice", channel)
    bot.wait_event(number, "runbook_step_undone")
    wait_for(lambda: "First ten minutes*: 0 of 7 done" in said(book(bot, channel)), what="the undoing")


def test_ticking_an_act_does_it_and_doing_it_ticks(bot: Client) -> None:
    """Acknowledge and Take lead by a box or a command; the first update asks for its words and is ticked by them."""
    number, channel = bot.open_one()
    boxes(bot, "bob", channel, 1)
    assert bot.wait_event(number, "acknowledged")["actor"]["name"] == "bob"
    bot.slash("lead", "alice", channel)
    wait_for(lambda: "First ten minutes*: 2 of 7 done" in said(book(bot, channel)), what="both")
    boxes(bot, "bob", channel, 1, 5, 6)
    submit(bot, "bob", state="Looking at the pool")
    wait_for(lambda: "First ten minutes*: 3 of 7 done" in said(book(bot, channel)), what="the update's tick")
    assert bot.kinds(number).count("runbook_step_done") == 1


def test_boxes_of_an_old_view_change_only_what_was_pressed(bot: Client) -> None:
    """Somebody else has ticked meanwhile: their tick stays, and a second tick of the same box is told."""
    number, channel = bot.open_one()
    old = book(bot, channel)
    stale = [dict(block) for block in old.blocks]
    boxes(bot, "alice", channel, 7)
    wait_for(lambda: "1 of 7 done" in said(book(bot, channel)), what="the first tick")
    book(bot, channel).blocks[:] = stale
    boxes(bot, "bob", channel, 8)
    bot.wait_event(number, "runbook_step_done", 2)
    wait_for(lambda: "2 of 7 done" in said(book(bot, channel)), what="both ticks")
    book(bot, channel).blocks[:] = stale
    boxes(bot, "bob", channel, 7)
    wait_for(lambda: "is already done: alice ticked it" in whispers(bot, "bob"), what="the answer")


def test_the_checklist_moves_with_another_runbook(bot: Client) -> None:
    """The new message shows both with their ticks; the old one is folded; alone the checklist leaves the runbook."""
    number, channel = bot.open_one()
    boxes(bot, "bob", channel, 2)
    bot.wait_event(number, "runbook_step_done")
    bot.slash("runbook ops.api.error-rate", channel=channel)
    bot.wait_event(number, "runbook_posted", 2)
    wait_for(lambda: "First ten minutes*: 1 of 9 done" in said(book(bot, channel, "API error rate")), what="both")
    wait_for(lambda: bot.workspace.find(channel, "Replaced by"), what="the old message")
    bot.slash("runbook checklist.first-response", channel=channel)
    bot.wait_event(number, "runbook_posted", 3)
    wait_for(lambda: "First ten" not in said(book(bot, channel, "API error rate")), what="the runbook alone")
    press(bot, "bob", channel, "runbook_done_3", "First ten minutes")
    wait_for(lambda: "2 of 9 done" in said(book(bot, channel, "First ten minutes")), what="the tick")


@pytest.mark.parametrize(
    ("words", "checklist", "title"),
    [
        ("checklist.recovery", "checklist.recovery", "Verification after recovery"),
        ("backup verification", "checklist.backup-verification", "Backups are there"),
        ("dashboard-import", "checklist.dashboard-import", "Import and validate"),
        ("pre-deployment", "checklist.pre-deployment", "Before a deployment"),
        ("failover drill", "checklist.failover-drill", "Failover drill"),
    ],
)
def test_every_checklist_can_be_posted(bot: Client, words: str, checklist: str, title: str) -> None:
    """By its id or by words, in an incident of its own; its points are ticked, and the runbook stays what it was."""
    number, channel = opened_by(bot, "HighErrorRate")
    assert checklist in bot.slash(f"runbook {words}", channel=channel)
    posted = bot.wait_event(number, "runbook_posted", 2)
    assert (posted["text"], posted["data"]["runbook_id"]) == (
        f"Checklist {checklist} posted: asked for by alice",
        checklist,
    )
    press(bot, "bob", channel, "runbook_done_2", title)
    wait_for(lambda: "1 of " in said(book(bot, channel, title)), what="the tick")
    assert bot.wait_event(number, "runbook_step_done")["data"]["runbook_id"] == checklist
    press(bot, "dana", channel, "runbook_undo_2", title)
    wait_for(lambda: "0 of " in said(book(bot, channel, title)), what="the undoing")
    assert bot.incident(number)["runbook_id"] == "ops.api.error-rate"


def test_two_checklists_are_ticked_side_by_side(bot: Client) -> None:
    """The one that opens with the incident and another one: each message shows its own ticks."""
    number, channel = opened_by(bot, "HighErrorRate")
    bot.slash("runbook checklist.recovery", channel=channel)
    bot.wait_event(number, "runbook_posted", 2)
    boxes(bot, "bob", channel, 2)
    press(bot, "bob", channel, "runbook_done_3", "Verification after recovery")
    press(bot, "alice", channel, "runbook_done_4", "Verification after recovery")
    wait_for(lambda: "First ten minutes*: 1 of 9 done" in said(book(bot, channel)), what="the first")
    wait_for(lambda: "2 of 10 done" in said(book(bot, channel, "Verification after recovery")), what="the second")
    assert "Posting" in bot.slash("runbook checklist.recovery", channel=channel)
    wait_for(lambda: bot.workspace.find(channel, "Continued below"), what="its old message")
    wait_for(lambda: "2 of 10 done" in said(book(bot, channel, "Verification after recovery")), what="its ticks")


def test_a_pasted_error_in_the_form_gives_the_ids(bot: Client) -> None:
    """The declare form takes an error as it was copied; its ids are on the incident, its gap is a follow-up."""
    bot.slash("declare")
    pasted = '{"error": {"code": "quota_exceeded", "correlation_id": "c-9", "details": {"host_role": "app_control"}}}'
    submit(bot, "alice", title="Nothing starts", error=pasted)
    incident = bot.incidents()[0]
    assert (incident["correlation_id"], incident["host_role"]) == ("c-9", "app_control")
    assert (incident["error_code"], incident["trace_id"]) == ("quota_exceeded", "")
    assert "followup_added" in bot.kinds(incident["number"])


def test_a_runbook_in_a_thread_is_ticked_there(bot: Client) -> None:
    """A sev3 has its runbook in the thread of its card; raised to sev2 it goes on in the channel with its ticks."""
    number = next(word for word in bot.slash("declare Slow login sev3").split() if word.startswith("INC-"))
    bot.wait_event(number, "runbook_posted")
    press(bot, "bob", "ops-alerts", "runbook_done_1")
    wait_for(lambda: "1 of " in said(book(bot, "ops-alerts")), what="the tick")
    bot.slash(f"{number} sev 2")
    channel = bot.room(number)
    bot.wait_event(number, "runbook_posted", 2)
    assert "runbook_undo_1" in said(book(bot, channel))
    wait_for(lambda: bot.workspace.find("ops-alerts", "Continued below"), what="the folded message")
