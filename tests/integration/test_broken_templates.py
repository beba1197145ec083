"""Templates with a fault: they stop the start and the checks, and never a message of a service that runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bot.errors import SitrepError
from tests.conftest import ROOT, Client, InProcess, wait_for
from tests.forks import sitrep
from tests.integration.world import World

pytestmark = pytest.mark.timeout(120)

FAULTS = [
    ("update", "{{ number }}\n{{ sate | text }}", "update.md.j2: correct line 2: there is no field `sate`", "`state`"),
    ("initial", "{{ oops", "initial.md.j2: correct line 1", ""),
    ("resolution", "{{ fix | txt }}", "resolution.md.j2: correct line 1: No filter named 'txt'", "`text`"),
    ("draft-identified", "{{ titel }}", "draft-identified.md.j2: correct line 1: there is no field `titel`", "`title`"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The templates of some runbooks that may be edited."""
    shutil.copytree(ROOT / "runbooks" / "templates", tmp_path / "runbooks" / "templates")
    for part in ("checklists", "general-first-response.md", "signals.yaml", "sites.yaml"):
        ours = ROOT / "runbooks" / part
        (shutil.copytree if ours.is_dir() else shutil.copy)(ours, tmp_path / "runbooks" / part)
    return tmp_path / "runbooks" / "templates"


@pytest.fixture
def environ(environ: dict[str, str], folder: Path) -> dict[str, str]:
    return environ | {"SITREP_RUNBOOKS": str(folder.parent)}


def told(bot: Client, user: str) -> list[str]:
    """Give what one person alone was shown of templates: in the channel, else as a direct message."""
    seen = [*bot.workspace.ephemerals(user), *bot.workspace.direct(user).log]
    return [message.text for message in seen if ".md.j2" in message.text]


def said_to_operators(bot: Client, words: str) -> list[str]:
    return [m.text for m in bot.workspace.channel("ops-alerts").log if words in m.text]


@pytest.mark.parametrize(("name", "source", "fault", "near"), FAULTS)
def test_a_fault_fails_the_start_and_every_check(
    environ: dict[str, str], folder: Path, name: str, source: str, fault: str, near: str
) -> None:
    """`serve`, `runbooks lint` and `doctor` name the file, the line, the field and the nearest known one."""
    (folder / f"{name}.md.j2").write_text(source)
    for command in (("serve",), ("runbooks", "lint"), ("doctor",)):
        done = sitrep(environ, *command)
        assert done.returncode not in {0, None}, command
        said = (done.stdout + done.stderr).decode()
        assert fault in said, (command, said)
        assert near in said, (command, said)
    with pytest.raises(SitrepError):
        InProcess(environ).start()


def test_an_update_goes_out_while_its_template_is_broken(bot: Client, folder: Path, world: World) -> None:
    """Edited under the running service: the built-in one stands in; its author and, once, the operators are told."""
    number, channel = bot.open_one()
    (folder / "update.md.j2").write_text("{{ number }}\n{{ sate }}")
    for text in ("The pool is empty", "The pool is full"):
        bot.slash(f"update {text}", "bob", channel)
        posted = wait_for(lambda text=text: bot.workspace.find(channel, f": {text}"), what="the update")
        assert "*Now:*" in str(posted.blocks)
    world.settle()
    assert len(told(bot, "bob")) == 2
    assert "Your update goes out with the built-in template: update.md.j2: correct line 2" in told(bot, "bob")[0]
    assert "did you mean `state`" in told(bot, "bob")[0]
    assert told(bot, "alice") == []
    assert len(said_to_operators(bot, "there is no field `sate`")) == 1
    shutil.copy(ROOT / "runbooks" / "templates" / "update.md.j2", folder)
    bot.slash("update All is well", "bob", channel)
    posted = wait_for(lambda: bot.workspace.find(channel, ": All is well"), what="the update")
    assert "*From:*" in str(posted.blocks)
    assert number in str(posted.blocks)


def test_each_other_message_goes_out_too(bot: Client, folder: Path, world: World) -> None:
    """The notification of whoever declares, the resolution of whoever resolves, and a form that is not pre-filled."""
    (folder / "initial.md.j2").write_text("{% if number %}")
    (folder / "resolution.md.j2").write_text("{{ duration + 1 }}")
    (folder / "draft-investigating.md.j2").write_text("{{ titel }}")
    number, channel = bot.open_one()
    assert bot.slash("update", "bob", channel) == ""
    assert bot.workspace.open_views("bob")
    bot.slash("resolve Failed over", "dana", channel)
    wait_for(lambda: bot.workspace.find(channel, f"{number} is resolved"), what="the resolution")
    world.settle()
    for user, file in (("alice", "initial"), ("bob", "draft-investigating"), ("dana", "resolution")):
        assert any(f"{file}.md.j2: correct" in text for text in told(bot, user)), user
        assert len(said_to_operators(bot, f"{file}.md.j2: correct")) == 1, file
