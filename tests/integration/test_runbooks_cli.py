"""`sitrep runbooks`, as an operator or a check calls it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.runbooks import runbooks
from tests.conftest import ROOT


@pytest.fixture
def far_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands live in 2036."""
    clock = tmp_path / "clock"
    clock.write_text(str((datetime(2036, 6, 1, tzinfo=UTC) - datetime.now(UTC)).total_seconds()))
    monkeypatch.setenv("SITREP_TEST_CLOCK", str(clock))
    monkeypatch.setenv("SLACK_API_URL", "http://127.0.0.1:1/api/")
    monkeypatch.setenv("SITREP_RUNBOOKS", str(ROOT / "runbooks"))


@pytest.mark.usefixtures("far_ahead")
def test_no_check_fails_because_time_has_passed() -> None:
    """In 2036 every review is due: the check of `make check` warns of each, and passes."""
    result = CliRunner().invoke(runbooks, ["lint", "--rules", str(ROOT / "deploy" / "alerts" / "sitrep.rules.yml")])
    assert result.exit_code == 0, result.output
    warned = [line for line in result.output.splitlines() if line.startswith("warning: ") and "[review]" in line]
    assert len(warned) >= 70
    assert "error: " not in result.output
