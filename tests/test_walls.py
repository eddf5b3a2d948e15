"""The boundaries between the packages: which may import which."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("study", "trainables", "analysis")
KNOWS_RAY = ("study/execution/", "trainables/worker/trainable.py")
# Each package may import itself and the modules listed here.
MAY_IMPORT = {
    "trainables.relaxation": {"trainables.errors"},
    "trainables.results": set(),
    "analysis": {"trainables.results"},
}


def imports(path: Path) -> set[str]:
    """The full names of everything a file imports, including imports within functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def files(package: str) -> list[Path]:
    return sorted((ROOT / package.replace(".", "/")).rglob("*.py"))


def ours(name: str) -> bool:
    return name.partition(".")[0] in PACKAGES


def below(name: str, package: str) -> bool:
    return f"{name}.".startswith(f"{package}.")


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_it_may(package):
    foreign = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in files(package)
        for name in imports(path)
        if ours(name) and not any(below(name, allowed) for allowed in {package, *MAY_IMPORT[package]})
    }
    assert not foreign


def test_only_the_packages_that_run_trials_import_ray():
    found = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in files(package)
        if any(below(name, "ray") for name in imports(path))
    }
    assert {path for path in found if not path.startswith(KNOWS_RAY)} == set()
    assert found, "the test looks at the wrong files"


@pytest.mark.parametrize(
    ("lower", "higher"), [("trainables", "study"), ("trainables", "analysis"), ("analysis", "study")]
)
def test_no_lower_package_imports_a_higher_one(lower, higher):
    assert not {name for path in files(lower) for name in imports(path) if below(name, higher)}


def test_no_imports_are_circular():
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in PACKAGES
        for path in files(package)
    }
    graph = {
        name: {
            other
            for imported in _imports_at_top_level(path)
            for other in _modules_of(imported, modules)
            if other != name
        }
        for name, path in modules.items()
    }
    while leaves := {name for name, needs in graph.items() if not needs}:
        graph = {name: needs - leaves for name, needs in graph.items() if name not in leaves}
    assert not graph


def _imports_at_top_level(path: Path) -> set[str]:
    """The full names of what a file imports while it is loaded; imports within functions run later."""
    tree = ast.parse(path.read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    found = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _modules_of(name: str, modules: dict[str, Path]) -> set[str]:
    """The module that an imported name refers to, or is defined in."""
    parent = name.rpartition(".")[0]
    return {name} & set(modules) or {parent} & set(modules)


@pytest.mark.parametrize(("package", "most"), [("trainables", 8), ("study", 10)])
def test_packages_have_few_top_level_files(package, most):
    assert len(list((ROOT / package).glob("*.py"))) <= most


def test_no_two_test_files_share_a_name():
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert not {name for name in names if names.count(name) > 1}, "pytest would collect neither"
