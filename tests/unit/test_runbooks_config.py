"""Where checklists and digests go: the configuration's `runbooks`."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config import load_config
from bot.errors import ConfigError


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "sitrep.yaml"
    file.write_text(text)
    return file


def test_with_nothing_set_they_go_to_the_operators() -> None:
    """Without a channel of their own, checklists are on and go where failures are told."""
    config = load_config(None)
    assert config.runbooks.checklists
    assert config.channel_of("Platform SRE") == config.channel_of(None) == "ops-alerts"


def test_a_team_has_a_channel_of_its_own(tmp_path: Path) -> None:
    """An owner team's name counts in any case; all others share one channel."""
    text = 'runbooks: {channel: "#reviews", owners: {platform  SRE: "#platform"}, checklists: false}'
    config = load_config(written(tmp_path, text))
    assert config.channel_of("Platform SRE") == "platform"
    assert config.channel_of("Security") == config.channel_of(None) == "reviews"
    assert not config.runbooks.checklists


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("runbooks: {chanel: x}", ("runbooks", "'chanel'", "did you mean 'channel'?")),
        ("runbooks: {owners: {SRE: a, sre: b}}", ("runbooks", "'SRE' and 'sre'", "name it once")),
        ("runbooks: {checklists: perhaps}", ("runbooks.checklists",)),
        ("runbooks: {owners: {SRE: ''}}", ("runbooks.owners.SRE",)),
    ],
)
def test_a_mistake_names_its_key(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    """What is wrong is refused at the start, by its key, with the fix."""
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, text))
    for word in words:
        assert word in str(caught.value)
