"""Bad input ends with one clear line and exit code 2, and nothing half-written is left."""

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from conftest import ROOT, run_module, run_new_module, slow_after
from rich.console import Console

from bench.cli.group import VERBS, main
from bench.run.errors import one_line_errors
from bench.run.progress import share_progress
from bench.task import UserError


def fails_with_one_line(process, message):
    assert process.returncode == 2
    assert message in process.stderr
    assert process.stderr.startswith("error: ")
    assert process.stderr.count("\n") == 1
    return True


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["all", "--impl", "pytorch"],
            "unknown implementation 'pytorch': choose from lowlevel, estimator, keras",
        ),
        (["all", "--dataset", "medium"], "'medium' is not one of 'small', 'large'"),
        (["run", "--outputs", "hinge"], "'hinge' is not one of 'logits', 'activated'"),
        (["all", "--seeds", "0"], "0 is not in the range x>=1"),
        (["all", "--epochs", "many"], "'many' is not a valid integer"),
        (["everything"], "No such command 'everything'"),
    ],
)
def test_a_wrong_word_is_named(arguments, message, tmp_path):
    out = [] if arguments == ["everything"] else ["--out", tmp_path / "out"]
    assert fails_with_one_line(run_module("bench", *arguments, *out), message)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["lowlevel", "estimator", "keras"])
def test_implementations_name_a_wrong_word_too(name):
    assert fails_with_one_line(
        run_module(f"impl_{name}", "--dataset", "medium"), "'medium' is not one of"
    )


def test_an_output_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    process = run_module("bench", "all", "--out", tmp_path / "file" / "out")
    assert fails_with_one_line(process, "cannot be written")


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root")
def test_a_disk_that_fills_during_a_run_ends_it_with_one_line(tmp_path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", tmp_path], check=True)
    try:
        process = run_module(
            "bench", "run", "--quick", "--impl", "lowlevel", "--dataset", "small", "--out", tmp_path
        )
        assert fails_with_one_line(process, "No space left on device")
        assert not list(tmp_path.rglob(".*-*"))
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def other_pythons():
    """Returns Pythons of unsupported versions that this machine has.

    They are on the path, or beside the one in use, where version managers put them.
    """
    found = [shutil.which(f"python3.{minor}") for minor in (8, 12, 13, 14)]
    found += [str(path) for path in Path(sys.base_prefix).parent.glob("*/bin/python3")]
    for python in filter(None, found):
        asked = [python, "-c", "import sys; print(*sys.version_info[:2])"]
        version = subprocess.run(asked, capture_output=True, text=True).stdout.split()
        if version and version not in (["3", "9"], ["3", "10"], ["3", "11"]):
            yield python


@pytest.mark.parametrize("module", ["bench", "impl_keras"])
def test_an_unsupported_python_is_told_which_ones_are(module):
    python = next(other_pythons(), None)
    if python is None:
        pytest.skip("every Python here is supported")
    process = subprocess.run([python, "-m", module], cwd=ROOT, text=True, capture_output=True)
    assert fails_with_one_line(process, "Python 3.9, 3.10 or 3.11 is needed")


def without(package: str, folder: Path) -> dict:
    """Returns the environment of a Python that has all installed packages except one."""
    site = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    for entry in site.iterdir():
        if not entry.name.startswith(package):
            (folder / entry.name).symlink_to(entry)
    return {**os.environ, "PYTHONPATH": f"{folder}:{ROOT}"}


@pytest.mark.parametrize(
    ("package", "arguments", "message"),
    slow_after(
        2,
        [
            ("tensorflow_estimator", ["impl_estimator"], "has no Estimator"),
            ("tensorflow", ["bench", "all"], "TensorFlow is not installed"),
            ("tensorflow_estimator", ["bench", "run", "--quick"], "has no Estimator"),
            ("tensorflow", ["impl_keras"], "TensorFlow is not installed"),
        ],
    ),
)
def test_a_missing_package_is_named(package, arguments, message, tmp_path):
    process = subprocess.run(
        [sys.executable, "-S", "-m", *arguments],
        env=without(package, tmp_path),
        cwd=tmp_path,
        text=True,
        capture_output=True,
    )
    assert fails_with_one_line(process, message)


@pytest.mark.parametrize(
    "arguments",
    slow_after(
        2, [["bench", "all"], ["impl_keras"], ["bench"], ["bench", "run"], ["bench", "data"]]
    ),
)
def test_help_is_there_without_waiting_for_tensorflow(arguments):
    process = run_new_module(
        *arguments, "--help", env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}
    )
    assert process.returncode == 0
    assert "Usage: python -m" in process.stdout
    assert "| tensorflow\n" not in process.stderr


def help_of_bench() -> str:
    return CliRunner().invoke(main, ["--help"], prog_name="bench").output


@pytest.mark.fast
def test_help_lists_every_verb_under_its_heading_in_a_line_of_its_own():
    shown = help_of_bench()
    listed = re.findall(r"^(?:([A-Z][^\n]+):|  (\w+)  +(\S.*))$", shown, re.MULTILINE)
    headings = [heading for heading, *_ in listed if heading not in ("", "Options")]
    assert headings == ["The three questions", "The benchmark", "Background"]
    verbs = {name: line for _, name, line in listed if name}
    assert list(verbs) == (
        [
            "diagnose",
            "parity",
            "all",
            "run",
            "report",
            "compare",
            "sweep",
            "cluster",
            "traps",
            "replay",
            "data",
        ]
    )
    assert not any(line.endswith("...") for line in verbs.values())
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.fast
@pytest.mark.parametrize("name", [name for verbs in VERBS.values() for name in verbs])
def test_the_line_of_a_verb_is_how_its_own_help_begins(name):
    command = main.get_command(click.Context(main), name)
    assert command.name == name
    line = next(verbs[name][1] for verbs in VERBS.values() if name in verbs)
    assert " ".join(command.help.split()).startswith(line)
    assert f"{line}\n" in help_of_bench()


HEAVY = [
    "matplotlib",
    "numpy",
    "pandas",
    "platformdirs",
    "plotly",
    "psutil",
    "pyarrow",
    "rich",
    "scipy",
    "tensorflow",
    "wfdb",
]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["everything"]])
def test_help_imports_nothing_that_is_heavy(arguments):
    program = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('imported', *sys.modules))\n"
        "from bench.cli import run\n"
        "run()\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, text=True, capture_output=True
    )
    imported = set(process.stdout.rpartition("imported ")[2].split())
    assert "bench.cli.group" in imported
    assert not imported & set(HEAVY)
    assert {name for name in imported if name.startswith("bench.cli.")} == {"bench.cli.group"}


def test_the_version_is_that_of_the_package():
    process = run_module("bench", "--version")
    assert process.stdout == f"tf-port-bench {metadata.version('tf-port-bench')}\n"


def test_the_console_script_is_the_same_program_by_its_own_name():
    assert '[project.scripts]\ntf-port-bench = "bench.cli:run"\n' in (
        ROOT / "pyproject.toml"
    ).read_text("utf-8")
    program = "import sys; sys.argv[0] = 'bin/tf-port-bench'; from bench.cli import run; run()"
    process = subprocess.run(
        [sys.executable, "-c", program, "--help"], cwd=ROOT, text=True, capture_output=True
    )
    assert process.stdout.startswith("Usage: tf-port-bench [OPTIONS]")
    assert process.stdout[20:] == run_module("bench", "--help").stdout[22:]


@pytest.mark.fast
def test_text_from_files_is_shown_as_text(capsys):
    with pytest.raises(SystemExit) as ended, one_line_errors():
        raise UserError("a.csv: row 2 has the label \x1b[31mred\nand more")
    assert ended.value.code == 2
    assert (
        capsys.readouterr().err
        == "error: a.csv: row 2 has the label \N{REPLACEMENT CHARACTER}[31mred and more\n"
    )
    console = Console(force_terminal=True, width=200)
    with share_progress(console, "reading a[/b].csv") as on_share:
        on_share(0.5)
    assert "reading a[/b].csv" in capsys.readouterr().out
