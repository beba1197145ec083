"""What each target installs: the demo needs the product alone, tests and checks the tools too."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
PRODUCT, TOOLS = "requirements.lock", "requirements-dev.lock"


def would(folder: Path, target: str) -> str:
    """Give the commands that a target would run."""
    done = subprocess.run(["make", "-n", target], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml", PRODUCT, TOOLS):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def installed(folder: Path, *stamps: str) -> None:
    (folder / ".venv").mkdir()
    for stamp in stamps:
        (folder / ".venv" / stamp).touch()


@pytest.mark.parametrize(("target", "tools"), [("demo", False), ("setup", True), ("check", True), ("bench", True)])
def test_a_fresh_checkout_installs_what_the_target_needs(checkout: Path, target: str, tools: bool) -> None:
    """The demo comes up without the tools; all else installs them onto the product."""
    said = would(checkout, target)
    assert f"-r {PRODUCT}" in said
    assert (f"-r {TOOLS}" in said) is tools


@pytest.mark.parametrize(
    ("stamps", "target", "wanted"),
    [
        ((".product",), "demo", []),
        ((".product",), "setup", [TOOLS]),
        ((".product", ".installed"), "demo", []),
        ((".product", ".installed"), "check", []),
    ],
)
def test_what_one_target_has_installed_serves_the_next(
    checkout: Path, stamps: tuple[str, ...], target: str, wanted: list[str]
) -> None:
    """The demo after the tests installs nothing, the tests after the demo the tools alone."""
    installed(checkout, *stamps)
    assert re.findall(r"install .*-r (\S+)", would(checkout, target)) == wanted


@pytest.mark.parametrize(
    ("changed", "wanted"), [(PRODUCT, [PRODUCT, TOOLS]), (TOOLS, [TOOLS]), ("pyproject.toml", [PRODUCT, TOOLS])]
)
def test_a_changed_lock_file_is_installed_anew(checkout: Path, changed: str, wanted: list[str]) -> None:
    """What has changed since the last time is brought up to date."""
    installed(checkout, ".product", ".installed")
    newer = (checkout / ".venv" / ".installed").stat().st_mtime + 10
    os.utime(checkout / changed, (newer, newer))
    assert re.findall(r"install .*-r (\S+)", would(checkout, "setup")) == wanted


def test_both_lock_files_agree() -> None:
    """The tools' lock file pins each of the product's packages to the same version: one environment holds both."""
    pins = [
        dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))
        for name in (PRODUCT, TOOLS)
    ]
    assert pins[0]
    assert {name: pins[1].get(name) for name in pins[0]} == pins[0]
