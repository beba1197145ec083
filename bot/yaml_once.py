"""YAML in which each key stands once: of two, YAML itself would drop the first without a word."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml
from yaml.constructor import ConstructorError

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Once(_Base):  # type: ignore[misc]
    """Safe YAML that refuses a key that its mapping has already."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's own signature
        """Return the mapping.

        Raises:
            ConstructorError: a key stands twice, with the line of each.
        """
        first: dict[tuple[str, str], Any] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
                continue
            mark: Any = key.start_mark
            known = first.setdefault((key.tag, key.value), mark)
            if known is not mark:
                problem = f"the key {key.value!r} is already in line {known.line + 1}: merge the two"
                raise ConstructorError(None, None, problem, mark)
        made: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return made


def load(text: str) -> Any:
    """Read YAML.

    Raises:
        yaml.YAMLError: it is none, or a key stands twice.
    """
    return yaml.load(text, Once)  # noqa: S506 - a safe loader
