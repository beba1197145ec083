"""The import rules: the heart is pure, imports point inward, the sandbox stands alone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: write imports in full"
            yield node.module or ""


@pytest.mark.parametrize("file", sorted((ROOT / "bot" / "incidents").glob("*.py")), ids=lambda f: f.name)
def test_the_heart_imports_the_standard_library_and_itself_only(file: Path) -> None:
    """`bot.incidents` has no dependency, so it can be tested without anything."""
    for name in imported(file):
        assert name.split(".")[0] in sys.stdlib_module_names or name.startswith("bot.incidents"), name


def test_the_heart_reads_no_clock_and_no_file() -> None:
    """`bot.incidents` gets every moment from its caller."""
    for file in (ROOT / "bot" / "incidents").glob("*.py"):
        source = file.read_text(encoding="utf-8")
        found = re.search(r"\b(datetime\.now|utcnow|time\.time|random|uuid)\b|(?<!\w)open\(", source)
        assert found is None, f"{file.name}: {found}"


def test_the_declared_contracts_hold() -> None:
    """import-linter keeps every contract of pyproject.toml."""
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout
