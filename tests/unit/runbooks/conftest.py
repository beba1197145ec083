from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

CONTENT = Path(__file__).parents[3] / "runbooks"

GENERAL = """---
id: ops.general.first-response
title: General
severity_hint: sev3
owner_team: SRE
last_reviewed_at: 2026-11-21
url: runbooks/general.md
---

## Diagnosis

1. Look.
"""
CHECKLIST = """---
id: checklist.first-response
title: First
---

1. Acknowledge.
2. Look.
"""


@pytest.fixture(scope="session")
def content() -> Path:
    return CONTENT


@pytest.fixture
def directory(tmp_path: Path) -> Callable[..., Path]:
    """Make a valid runbook directory, plus or instead these files (None: leave it out)."""

    def make(**files: str | bytes | None) -> Path:
        everything: dict[str, str | bytes | None] = {"general": GENERAL, "checklists/first-response": CHECKLIST}
        for name, text in (everything | files).items():
            if text is None:
                continue
            path = tmp_path / f"{name}.md"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path

    return make
