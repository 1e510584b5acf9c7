"""Imports run one way, and no code is written twice."""

import ast
import re

import pytest

from docs.architecture import LEVELS, ROOT, imported_parts

pytestmark = pytest.mark.fast


def named_bench_modules(source: str) -> set[str]:
    """Returns the strings that name a module of bench, such as "bench.diagnose.probes:modes_of".
    An import by such a string would pass unseen by the test of imports."""
    texts = {
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {
        text
        for text in texts
        if (match := re.fullmatch(r"bench[./](\w+)[\w./]*(:\w*)?", text))
        and match.group(1) in LEVELS
    }


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("bench/**/*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_bench_imports_downwards_only(path):
    part = path.relative_to(ROOT / "bench").parts[0].removesuffix(".py")
    for imported in imported_parts(path):
        assert imported == part or LEVELS[imported] < LEVELS[part], f"{part} imports {imported}"


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("bench/**/*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_string_names_a_module_of_bench(path):
    part = path.relative_to(ROOT / "bench").parts[0].removesuffix(".py")
    own_package = f"bench.{part}"  # jinja2.PackageLoader takes the name of a package
    assert named_bench_modules(path.read_text()) <= {own_package}


@pytest.mark.parametrize(
    "source",
    [
        'call("bench.diagnose.in_port_process:examine_contract")',
        'import_module("bench.diagnose")',
        'import_module(f"bench.diagnose.{name}")',
        'run("-m", "bench.diagnose.in_port_process")',
        'open("bench/diagnose/in_port_process.py")',
    ],
)
def test_a_string_that_names_a_module_is_seen(source):
    assert len(named_bench_modules(source)) == 1


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("impl_*/*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_implementations_know_the_task_alone(path):
    expected = {"run"} if path.name == "__main__.py" else {"task"}
    assert imported_parts(path) <= expected


def test_implementations_have_the_same_files_and_do_not_share_code():
    folders = sorted(ROOT.glob("impl_*"))
    yardstick = ROOT / "impl_lowlevel" / "floor.py"  # of all three, written once
    assert yardstick.exists()
    assert (
        len(
            {
                tuple(sorted(path.name for path in folder.glob("*.py") if path != yardstick))
                for folder in folders
            }
        )
        == 1
    )
    for folder in folders:
        others = [other.name for other in folders if other != folder]
        assert not any(
            other in path.read_text() for path in folder.glob("*.py") for other in others
        )


def test_bench_reaches_implementations_by_name_alone():
    for path in ROOT.glob("bench/**/*.py"):
        tree = ast.parse(path.read_text())
        modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        modules += [
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        ]
        assert not any(module.startswith("impl_") for module in modules), path
