"""Which PagerDuty incidents are the same trouble."""

from __future__ import annotations

import hashlib

from bot.pagerduty.keys import PREFIX, trouble_of

GROUP = hashlib.sha256(b"{}:{}").hexdigest()


def test_a_key_belongs_to_its_service() -> None:
    """The same key of two services is two troubles; of one service it is one."""
    assert trouble_of("disk-full", "PSA") == trouble_of("disk-full", "PSA")
    assert trouble_of("disk-full", "PSA") != trouble_of("disk-full", "PSB")
    assert trouble_of("full", "PSA/disk") != trouble_of("disk/full", "PSA")


def test_some_keys_mean_the_same_everywhere() -> None:
    """Alertmanager's hash of a group, a key of ours, and one whose service is not told stay as they are."""
    for key in (GROUP, f"{PREFIX}INC-20261121-001/page/1"):
        assert trouble_of(key, "PSA") == key
    assert trouble_of("disk-full", "") == "disk-full"
    assert trouble_of("", "PSA") == ""
    assert trouble_of(GROUP.upper(), "PSA") != GROUP.upper()


def test_the_longest_key_fits_its_column() -> None:
    """A key of 255 characters beside a long service id is kept in 255 characters."""
    assert len(trouble_of("k" * 255, "P" * 64)) <= 255
