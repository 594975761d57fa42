"""YAML that can only be plain data: no tags, no aliases, no key twice.

An alias could blow a small file up to gigabytes, and the second of two equal keys would silently win.
"""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from knowledge_index.faults import fault


class _PlainLoader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="an alias (*name) is not allowed", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} stands here twice", problem_mark=key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def load_mapping(text: str, file: Path, first_line: int) -> dict[Any, Any]:
    """The mapping that `text` holds, which begins at `first_line` (from 1) of `file`.

    Raises BadInput, with file and line, for anything that is not one plain mapping.
    """
    try:
        data = yaml.load(text, Loader=_PlainLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = first_line + (mark.line if mark else 0)
        problem = getattr(error, "problem", None) or "it holds a character that YAML does not allow"
        raise fault(file, line, f"the YAML cannot be read: {problem}", "correct it") from error
    except (ValueError, RecursionError) as error:
        raise fault(file, first_line, f"the YAML below cannot be read: {error}", "correct it") from error
    if not isinstance(data, dict):
        raise fault(file, first_line, "the YAML below is not a mapping", "write lines of the form `name: value`")
    return data
