import importlib

from bench.measure.code import code_lines, count_code_lines

SOURCE = '''"""Docstring."""

import os  # a comment


def double(
    value,
):
    """Twice.

    More words.
    """
    # why
    return [
        value,
        value,
    ]


TEXT = """not a
docstring"""
'''


def test_docstrings_comments_and_blank_lines_do_not_count():
    assert {SOURCE.splitlines()[line - 1].strip() for line in code_lines(SOURCE)} == {
        "import os  # a comment", "def double(", "value,", "return [", "]", 'TEXT = """not a', 'docstring"""'}


def test_a_package_counts_all_its_modules():
    package = importlib.import_module("impl_keras")
    modules = [importlib.import_module(f"impl_keras.{name}") for name in ("network", "input", "train")]
    assert count_code_lines(package) > sum(count_code_lines(module) for module in modules) > 50
