from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from alembic.script import ScriptDirectory

from bot.migrate import alembic_config, is_current, migrate
from bot.store.sqlite import connect
from tests.conftest import ROOT


def current(path: Path) -> bool:
    engine = connect(f"sqlite:///{path}")
    with engine.connect() as connection:
        found = is_current(connection)
    engine.dispose()
    return found


def test_the_newest_files_name_begins_with_the_head(tmp_path: Path) -> None:
    """What a start takes for the newest revision by its file's name is what Alembic takes for it."""
    path = tmp_path / "sitrep.db"
    assert not current(path)
    migrate(f"sqlite:///{path}")
    assert current(path)
    scripts = ScriptDirectory.from_config(alembic_config())
    assert [Path(str(script.path)).stem.partition("_")[0] for script in scripts.walk_revisions()][
        :1
    ] == scripts.get_heads()


def test_a_start_that_finds_nothing_to_do_does_not_load_alembic(tmp_path: Path) -> None:
    """On a database that is up to date neither the time nor the memory is spent."""
    url = f"sqlite:///{tmp_path / 'sitrep.db'}"
    code = f"import sys; from bot.migrate import migrate; migrate({url!r}); print('alembic' in sys.modules)"
    said = [subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() for _ in range(2)]
    assert said == ["True", "False"]
