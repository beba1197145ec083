"""Labels and annotations as senders write them: values of any type, absent ones, and more than can be kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bot.text import clip

LONGEST = 10_000  # characters of one value
ROOM = 64_000  # characters of an alert's labels, and as many of its annotations
LONGEST_FINGERPRINT = 64  # characters
_PLAIN = {str}
_OFFSET, _PRIME, _WORD = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF  # FNV-1a, 64 bits


def text(value: Any) -> str:
    """Return a value as text; null is as good as absent."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def texts(value: Any) -> Any:
    """Return an object's values as texts, without those that are absent; what is no object is returned as it is."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        return value
    if _PLAIN.issuperset(map(type, value.values())):
        return value
    return {name: text(each) for name, each in value.items() if each is not None}


def fit(values: Mapping[str, str]) -> dict[str, str]:
    """Return what can be kept of labels or annotations: long values are cut, and of too many the longest go first."""
    if sum(map(len, values)) + sum(map(len, values.values())) <= LONGEST:
        return dict(values)
    cut = {name: clip(value, LONGEST) for name, value in values.items()}
    left, kept = ROOM, set()
    for name in sorted(cut, key=lambda each: len(each) + len(cut[each])):
        left -= len(name) + len(cut[name])
        if left < 0:
            break
        kept.add(name)
    return {name: value for name, value in cut.items() if name in kept}


def fingerprint(given: str, labels: Mapping[str, str]) -> str:
    """Return an alert's fingerprint: the given one, or Alertmanager's own of its labels.

    Alertmanager before 0.19 sends none. Source: labelSetToFingerprint in
    https://github.com/prometheus/common/blob/main/model/signature.go, written as 16 hexadecimal digits.
    """
    if given:
        fits = len(given) <= LONGEST_FINGERPRINT
        return given if fits else hashlib.sha256(given.encode()).hexdigest()
    sum_ = _OFFSET
    for name in sorted(labels):
        for part in (name, labels[name]):
            for byte in part.encode():
                sum_ = ((sum_ ^ byte) * _PRIME) & _WORD
            sum_ = ((sum_ ^ 0xFF) * _PRIME) & _WORD
    return f"{sum_:016x}"
