import importlib
import importlib.util
from pathlib import Path

import pytest

from bench.measure.code import (
    TRAINING,
    api_names,
    code_lines,
    count_code_lines,
    count_statements,
    modules_of,
)

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


@pytest.mark.fast
def test_docstrings_comments_and_blank_lines_do_not_count():
    assert {SOURCE.splitlines()[line - 1].strip() for line in code_lines(SOURCE)} == {
        "import os  # a comment",
        "def double(",
        "value,",
        "return [",
        "]",
        'TEXT = """not a',
        'docstring"""',
    }


def test_a_profile_counts_the_modules_that_it_trains_with():
    package = importlib.import_module("impl_keras")
    names = [module.__name__ for module in modules_of(package, "tuned")]
    assert names == [
        "impl_keras.network",
        "impl_keras.input",
        "impl_keras.train",
        "impl_keras.tuned",
    ]
    assert modules_of(package, "default") == modules_of(package, "tuned")[:3]
    assert count_code_lines(modules_of(package, "default")) > 50
    single = importlib.import_module("impl_keras.network")
    assert modules_of(single, "default") == [single]


@pytest.mark.parametrize("name", ["impl_lowlevel", "impl_estimator", "impl_keras"])
def test_the_default_profile_counts_no_dataset_of_another_profile(name):
    folder = Path(__file__).parents[1] / name
    counted = [folder / f"{module}.py" for module in TRAINING]
    source = "".join(path.read_text() for path in counted if path.exists())
    assert "def training_records" in source
    assert "cached_dataset" not in source
    assert "shared_dataset" not in source


def module_of(tmp_path, source):
    path = tmp_path / "counted.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("counted", path)
    return importlib.util.module_from_spec(spec)


@pytest.mark.fast
def test_statements_are_what_the_grammar_calls_one_without_docstrings(tmp_path):
    assert count_statements([module_of(tmp_path, SOURCE)]) == 4  # import, def, return, assignment
    assert count_statements([module_of(tmp_path, "if a: b = 1; c = 2\nelse:\n  pass\n")]) == 4


@pytest.mark.fast
def test_names_of_the_api_are_counted_once_and_in_full(tmp_path):
    source = (
        "import tensorflow as tf\nx = tf.nn.relu(tf.nn.relu(y)).shape\n"
        "z = tf.keras.layers.Dense\nw = x.tf.y\n"
    )
    assert api_names([module_of(tmp_path, source)]) == {"tf.nn.relu", "tf.keras.layers.Dense"}
