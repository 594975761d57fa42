"""Where the pieces of a pack stand in its file: what a part has from the pack itself stands there."""

from collections.abc import Sequence

from strict_yaml import YamlDocument


def line_of(pack: YamlDocument, path: Sequence[str | int]) -> int:
    """The line, from 1, of a piece, or of the nearest piece around it; `path` is of keys and places in lists."""
    line, found = pack.walk(pack.node, path)
    if len(path) > 2 and path[0] == "parts" and not found:
        return pack.line([*path[2:3], *_behind_own(pack, path)])
    return line


def _behind_own(pack: YamlDocument, path: Sequence[str | int]) -> list[str | int]:
    """The rest of a path into a list that begins with what the part itself has."""
    rest, part = list(path[3:]), pack.data["parts"][path[1]]
    if rest and isinstance(rest[0], int):
        own = part.get(path[2]) if isinstance(part, dict) else None
        rest[0] -= len(own) if isinstance(own, list) else 0
    return rest
