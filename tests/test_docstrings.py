"""Docstrings use Google's sections: ruff checks their form, this test that arguments are within them."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path for package in ("study", "trainables", "analysis") for path in (ROOT / package).rglob("*.py")
)
SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises")


def names(node: ast.AST) -> set[str]:
    """Names of arguments and annotated attributes of a function or class."""
    found = set()
    for each in [node, *getattr(node, "body", [])] if isinstance(node, ast.ClassDef) else [node]:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            found.add(each.target.id)
        if isinstance(each, ast.FunctionDef):
            found |= {argument.arg for argument in (*each.args.args, *each.args.kwonlyargs)}
    return found


def outside_sections(path: Path) -> list[str]:
    """Lines of docstrings that describe an argument, `name: ...`, outside any section."""
    wrong = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        known = names(node)
        for line in (ast.get_docstring(node) or "").splitlines():
            head = re.match(r"(\w+(?:, \w+)*): ", line)
            if head and set(head[1].split(", ")) <= known:
                wrong.append(f"{path.relative_to(ROOT)}: {node.name}: {line}")
    return wrong


@pytest.mark.parametrize("package", ["study", "trainables", "analysis"])
def test_arguments_are_described_in_sections(package):
    wrong = [line for path in FILES if path.is_relative_to(ROOT / package) for line in outside_sections(path)]
    assert not wrong, "\n".join(wrong)


def test_only_google_sections_are_used():
    headings = {
        heading
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        for heading in re.findall(r"^([A-Z]\w+):$", ast.get_docstring(node) or "", re.MULTILINE)
    }
    assert headings <= set(SECTIONS)
