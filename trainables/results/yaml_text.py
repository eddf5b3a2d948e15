"""YAML for configs: numbers and booleans of YAML 1.2, names as they are written, no duplicate keys.

`1e-3` is a number and `on` a name; in YAML 1.1, PyYAML's own dialect, it is the other way round. Keys are
always text. Files written here read the same in both dialects, and so does every config that PyYAML has
written.
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MOST_VALUES = 100_000  # in one document with its aliases expanded: a file of a few lines can mean billions
PREFIX = "tag:yaml.org,2002:"
RESOLVERS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", list("-+.")),
    ("merge", r"<<", ["<"]),
)
"""Section 10.3.2 of YAML 1.2: kind, pattern and the first characters of plain scalars; and the merge key of 1.1."""


class BadYAML(ValueError):
    """A text is not YAML, or contains something that a config may not; the message names the line."""


class _Reader(yaml.SafeLoader):
    """PyYAML's parser with the plain scalars of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


class _Writer(yaml.SafeDumper):
    """PyYAML's writer, which quotes text that either dialect would read as something else."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: list(resolvers) for first, resolvers in yaml.SafeDumper.yaml_implicit_resolvers.items()
    }


for _kind, _pattern, _first in RESOLVERS:
    for _dialect in (_Reader, _Writer):
        _dialect.add_implicit_resolver(f"{PREFIX}{_kind}", re.compile(f"(?:{_pattern})$"), _first)


def read_yaml(text: str) -> Any:
    """The value of a YAML document.

    Raises:
        BadYAML: If it is not YAML, or has several documents, a duplicate key, an alias within itself, or a
            tag for anything but text, numbers, booleans, null, lists and mappings.
    """
    try:
        node = yaml.compose(text, Loader=_Reader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise BadYAML(f"{where}{error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise BadYAML(" ".join(str(error).split())) from error
    return None if node is None else _Builder().value(node, ())


def write_yaml(content: Any) -> str:
    """The content as YAML, which `read_yaml` and any reader of YAML 1.1 read back unchanged."""
    return yaml.dump(content, Dumper=_Writer, sort_keys=False, allow_unicode=True)


class _Builder:
    """Builds plain values from the nodes of a document; tracks their number and which are in progress."""

    def __init__(self) -> None:
        self.values = 0
        self.under_way: list[Node] = []

    def value(self, node: Node, path: tuple[str, ...]) -> Any:
        self.values += 1
        if self.values > MOST_VALUES:
            raise BadYAML(f"line {_line(node)}: more than {MOST_VALUES:,} values with all aliases expanded")
        if any(node is outer for outer in self.under_way):
            raise BadYAML(f"line {_line(node)}: {'.'.join(path)}: an alias that contains itself")
        if len(self.under_way) > 100:
            raise BadYAML(f"line {_line(node)}: lists and mappings nested more than 100 deep")
        self.under_way.append(node)
        try:
            match node:
                case ScalarNode():
                    return _scalar(node)
                case SequenceNode(tag=tag) if tag == f"{PREFIX}seq":
                    return [self.value(part, (*path, str(at))) for at, part in enumerate(node.value)]
                case MappingNode(tag=tag) if tag == f"{PREFIX}map":
                    return self.mapping(node, path)
                case _:
                    raise BadYAML(f"line {_line(node)}: the tag {node.tag} is not allowed in a config")
        finally:
            self.under_way.pop()

    def mapping(self, node: MappingNode, path: tuple[str, ...]) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                raise BadYAML(f"line {_line(key_node)}: a key must be text, not a list or a mapping")
            key = key_node.value
            where = (*path, key)
            if key in lines:
                raise BadYAML(
                    f"line {_line(key_node)}: {'.'.join(where)}: duplicate key, first on line "
                    f"{lines[key]}; keep one"
                )
            lines[key] = _line(key_node)
            value = self.value(value_node, where)
            if key_node.tag != f"{PREFIX}merge":
                own[key] = value
                continue
            # The first of several merged mappings takes precedence, and explicit keys precede them all.
            for part in reversed(value if isinstance(value, list) else [value]):
                if not isinstance(part, Mapping):
                    raise BadYAML(f"line {_line(key_node)}: << can merge only mappings")
                merged |= part
        return {**merged, **own}


def _scalar(node: ScalarNode) -> Any:
    text: str = node.value
    try:
        match node.tag.removeprefix(PREFIX):
            case "str" | "merge":
                return text
            case "null":
                return None
            case "bool":
                return {"true": True, "false": False}[text.lower()]
            case "int":
                return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
            case "float":
                lowered = text.lower()
                return float(lowered.replace(".inf", "inf").replace(".nan", "nan"))
    except (ValueError, KeyError) as error:
        raise BadYAML(f"line {_line(node)}: {text[:50]!r} does not match its tag") from error
    raise BadYAML(f"line {_line(node)}: the tag {node.tag} is not allowed in a config")


def _line(node: Node) -> int:
    return node.start_mark.line + 1
