"""YAML as plain JSON values that remember their lines.

Read so that nobody is surprised: a time is text, `no` is refused instead of being a boolean to one
reader and text to another, so are numbers whose text would be lost (`0123`, `+12125550100`), tags,
merge keys and keys that stand twice. What is refused becomes a finding, and reading goes on.
"""

import math
import re
from typing import Any, Final

import yaml

from pipeline.rulebook.findings import Finding

DEPTH_MAX: Final = 60
NODES_MAX: Final = 500_000

_AMBIGUOUS: Final = frozenset({"yes", "no", "on", "off"})
_INT: Final = re.compile(r"-?(0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"-?[0-9]*\.[0-9]+([eE][+-][0-9]+)?")
_ODD_NUMBER: Final = re.compile(
    r"[+-]?(0[0-9_]+|[0-9]+_[0-9_]*|0[xob][0-9a-f_]+|\.(inf|nan)|[0-9]+\."
    r"|[0-9.]+e[0-9]+|[0-9]+e[+-][0-9]+|[0-9]+(:[0-5]?[0-9])+)|\+[0-9.]+",
    re.IGNORECASE,
)
_DIGITS_MAX: Final = 1000
_WORDS: Final = {"": None, "~": None, "null": None, "true": True, "false": False}
_TAGS: Final = {
    yaml.MappingNode: "tag:yaml.org,2002:map",
    yaml.SequenceNode: "tag:yaml.org,2002:seq",
    yaml.ScalarNode: "tag:yaml.org,2002:str",
}
_PLAIN: Final = "plain"
_QUOTE: Final = "write it in quotes"


class Map(dict[str, Any]):
    """A mapping that knows the line of each key."""

    def __init__(self, line: int) -> None:
        """Empty, beginning at this line."""
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}


class Seq(list[Any]):
    """A list that knows the line of each element."""

    def __init__(self, line: int) -> None:
        """Empty, beginning at this line."""
        super().__init__()
        self.line = line
        self.lines: list[int] = []


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Resolves nothing: what is plain is only marked so, and any other tag was written by hand."""

    yaml_implicit_resolvers = {None: [(_PLAIN, re.compile(""))]}  # noqa: RUF012 - as PyYAML has it


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.findings: list[Finding] = []
        self.nodes = 0

    def refuse(self, line: int, message: str, remedy: str) -> None:
        self.findings.append(Finding(self.file, line, message, remedy, code="yaml"))

    def value(self, node: Any, depth: int) -> Any:
        line = node.start_mark.line + 1
        self.nodes += 1
        if depth > DEPTH_MAX or self.nodes > NODES_MAX:
            if self.nodes <= NODES_MAX or not self.findings:
                self.refuse(
                    line, "this is nested too deeply or too large", "write less in one file"
                )
            return None
        if node.tag not in {_TAGS[type(node)], _PLAIN}:
            self.refuse(line, f"`{_short(node.tag)}` is read as a tag", f"{_QUOTE} as a whole")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            made = Seq(line)
            for child in node.value:
                made.append(self.value(child, depth + 1))
                made.lines.append(child.start_mark.line + 1)
            return made
        return self.scalar(node, line) if node.tag == _PLAIN else node.value

    def mapping(self, node: Any, depth: int) -> Map:
        made = Map(node.start_mark.line + 1)
        for key, child in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self.refuse(line, "a key is a list or a map", "write a text as the key")
                continue
            name = key.value
            if name == "<<" and key.tag == _PLAIN:
                self.refuse(line, "merge keys (`<<`) are not supported", "write the keys out")
            elif name in made:
                first = made.lines[name]
                self.refuse(
                    line, f"`{name}` stands twice, first in line {first}", "remove one of them"
                )
            else:
                made.lines[name] = line
                made[name] = self.value(child, depth + 1)
        return made

    def scalar(self, node: Any, line: int) -> Any:
        text = node.value
        word = text.lower()
        if word in _WORDS and text in {word, word.upper(), word.capitalize()}:
            return _WORDS[word]
        if word in _AMBIGUOUS:
            remedy = f'write "{text}" for the text, true or false for a boolean'
            self.refuse(line, f"`{text}` is a boolean to some readers of YAML", remedy)
        elif _ODD_NUMBER.fullmatch(text) or (len(text) > _DIGITS_MAX and _INT.fullmatch(text)):
            message = f"`{_short(text)}` is another number to some readers of YAML"
            self.refuse(line, message, f'write "{_short(text)}" for the text, else a plain number')
        elif _INT.fullmatch(text):
            return int(text)
        elif _FLOAT.fullmatch(text):
            if math.isfinite(value := float(text)):
                return value
            self.refuse(line, f"`{_short(text)}` is too large a number", _QUOTE)
        return text


def _short(text: str) -> str:
    return text if len(text) <= 30 else f"{text[:27]}..."  # noqa: PLR2004


def read_yaml(data: bytes, file: str) -> tuple[Any, list[Finding]]:
    """Read one document; None with findings where there is none to speak of."""
    reader = _Reader(file)
    try:
        node = yaml.compose(data.decode("utf-8-sig"), Loader=_Loader)
        value = None if node is None else reader.value(node, 0)
    except UnicodeDecodeError:
        reader.refuse(1, "this is not UTF-8 text", "save it as UTF-8")
    except yaml.YAMLError as error:
        line, message, remedy = _syntax(error)
        lines = data.count(b"\n") + (not data.endswith(b"\n"))
        reader.refuse(min(line, lines), message, remedy)
    except RecursionError:
        reader.refuse(1, "this is nested too deeply or too large", "write less in one file")
    else:
        if value is None and not reader.findings:
            reader.refuse(1, "this file is empty", "write something or remove it")
        return value, reader.findings
    return None, reader.findings


def _syntax(error: yaml.YAMLError) -> tuple[int, str, str]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = mark.line + 1 if mark else 1
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    remedy = "compare it with the samples; put texts with special characters in quotes"
    if "\\t" in problem or "tab" in problem:
        remedy = "indent with blanks, not with tabs"
    elif "mapping values" in problem:
        remedy = "put a text that has `: ` in quotes"
    elif "another document" in problem:
        remedy = "write one document a file, without a second `---`"
    elif "undefined alias" in problem or "alias" in problem:
        remedy = "put a text that begins with `*` in quotes"
    return line, f"not YAML: {problem}", remedy
