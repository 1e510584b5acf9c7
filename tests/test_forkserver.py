"""The process that forks the cells, when many start it at once."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

from bench.process import preload
from bench.process.forkserver import with_forkserver
from bench.process.group import Group
from bench.run.worker import redirect_output


def test_it_can_be_asked_for_by_threads_at_once():
    def ask(_):
        with with_forkserver():
            pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(2000)))
    assert preload.LOG not in os.environ


def speak(log):
    redirect_output(log)
    sys.stdout.write("said")


def test_what_a_process_has_printed_is_in_its_log(tmp_path):
    with with_forkserver(), Group(speak, tmp_path / "a.log") as group:
        assert group.exitcode == 0
    assert (tmp_path / "a.log").read_text() == "said"


def test_a_log_is_not_written_through_a_link(tmp_path):
    (tmp_path / "of value").write_text("of value")
    (tmp_path / "a.log").symlink_to(tmp_path / "of value")
    with with_forkserver(), Group(speak, tmp_path / "a.log") as group:
        assert group.exitcode == 1
    assert (tmp_path / "of value").read_text() == "of value"
