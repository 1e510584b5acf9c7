"""A process that has the program and TensorFlow loaded, and forks a command for every request.

Most of the time of a command is the import of TensorFlow: once in the command, and once in the
forkserver that it starts. A command that is forked from this process has both loaded. It is a
process of its own, with its own arguments, environment, output and exit code.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import json
import multiprocessing.util
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from multiprocessing.util import spawnv_passfds
from pathlib import Path

from bench.cli.group import VERBS

ROOT = Path(__file__).parent.parent

LOADED = (
    *(f"bench.cli.{module}" for verbs in VERBS.values() for module, _ in verbs.values()),
    *("bench.diagnose.diagnose", "bench.report.write", "bench.run.runner"),
    *("scipy.stats", "tensorflow"),
)
"""What every command finds loaded: the modules of all verbs, and what these import when used."""

PRELOAD = "bench.process.preload"
"""A forkserver imports this module, which reads the environment."""

LARGEST = 2**20
"""Bytes of a message: a command with its environment."""

STREAMS = ("stdout", "stderr")

MANY = 512
"""A number above those of all open files."""

IMPORT = "import {module}.train\nprint(0.0)"
"""Takes the place of the timed import, which takes seconds. `test_benchmark` has a run with it."""


class CommandServer:
    """Starts commands. `environment` is what /proc shows of them all; each has its own besides."""

    def __init__(self, environment: dict[str, str] | None = None):
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.command_server", str(theirs.fileno())],
                cwd=ROOT,
                env=environment,
                pass_fds=[theirs.fileno()],
            )
        self.pid = self._process.pid
        self._ended: dict[int, int] = {}

    def start(self, module: str, *arguments, cwd=ROOT, env=None) -> Command:
        """Starts `python -m MODULE ARGUMENTS` in a session of its own."""
        files = [
            tempfile.TemporaryFile("w+")  # noqa: SIM115  `communicate` closes them
            for _ in STREAMS
        ]
        request = {
            "argv": [module, *map(str, arguments)],
            "cwd": str(cwd),
            "env": dict(os.environ if env is None else env),
        }
        socket.send_fds(
            self._socket, [json.dumps(request).encode()], [file.fileno() for file in files]
        )
        answer = json.loads(self._socket.recv(LARGEST))
        while "ended" in answer:  # a command of before
            self._note(answer)
            answer = json.loads(self._socket.recv(LARGEST))
        return Command(self, answer["started"], request["argv"], files)

    def ended(self, pid: int, seconds: float | None) -> int | None:
        """Waits for a command. Returns its exit code, or None when the time is over."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while pid not in self._ended:
            self._socket.settimeout(
                None if deadline is None else max(deadline - time.monotonic(), 1e-3)
            )
            try:
                self._note(json.loads(self._socket.recv(LARGEST)))
            except socket.timeout:  # no TimeoutError before Python 3.10
                return None
            finally:
                self._socket.settimeout(None)
        return self._ended[pid]

    def _note(self, answer: dict) -> None:
        self._ended[answer["ended"]] = answer["code"]

    def close(self) -> None:
        """Ends the server. Commands that still run go on."""
        self._socket.close()
        self._process.wait()


class Command:
    """A command that runs, with the interface of `subprocess.Popen`."""

    def __init__(self, server: CommandServer, pid: int, args: list[str], files: list):
        self.pid, self.args = pid, args
        self.returncode: int | None = None
        self._server, self._files = server, files

    def poll(self, seconds: float | None = 0) -> int | None:
        self.returncode = self._server.ended(self.pid, seconds)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.poll(timeout) is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Returns all output, once the command has ended."""
        self.wait(timeout)
        texts = []
        for file in self._files:
            with file:
                file.seek(0)
                texts.append(file.read())
        return texts[0], texts[1]


def main(requests: socket.socket) -> None:
    """Forks a command for every request, and tells when it has ended. Returns in a command."""
    exit_code = _leave_quickly()
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()  # so that a fork does not copy the memory of what is loaded
    sys.modules.pop(PRELOAD)
    sys.modules["bench.run.costs"].IMPORT = IMPORT
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not requests:
                    selector.unregister(key.fileobj)
                    os.close(key.fd)
                    _tell(requests, ended=key.data, code=_exit_code(key.data))
                    continue
                text, files, _, _ = socket.recv_fds(requests, LARGEST, len(STREAMS))
                if not text:
                    os._exit(0)
                pid = os.fork()
                if not pid:
                    selector.close()
                    requests.close()
                    return _become(json.loads(text), files, exit_code)
                for file in files:
                    os.close(file)
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
                _tell(requests, started=pid)


def _tell(requests: socket.socket, **answer: int) -> None:
    with contextlib.suppress(OSError):  # the tests have ended
        requests.send(json.dumps(answer).encode())


def _exit_code(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _leave_quickly() -> list[int]:
    """Makes this process, and those that are forked from it, end without clearing their memory,
    which takes seconds. The exit code is the last item of the list that is returned.

    The function that is registered first for the exit is called last.
    """
    codes = [1]

    def leave() -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(codes[-1])

    atexit.register(leave)
    return codes


def _become(request: dict, files: list[int], exit_code: list[int]) -> None:
    """Runs a command in the process that was forked for it."""
    os.setsid()
    for number, file in enumerate(files, 1):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.path[0] = request["cwd"]
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    tempfile.tempdir = None
    multiprocessing.util.spawnv_passfds = _Forkserver().start
    sys.argv = request["argv"]
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        exit_code.append(0)
    except SystemExit as ended:
        exit_code.append(ended.code if isinstance(ended.code, int) else int(bool(ended.code)))
        raise


class _Forkserver:
    """A process that waits until the command starts its forkserver, and becomes it."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._pid = os.fork()
        self._started = False
        if self._pid:
            theirs.close()
            return
        self._socket.close()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        text, files, _, _ = socket.recv_fds(theirs, LARGEST, 16)
        if not text:
            os._exit(0)
        request = json.loads(text)
        kept = [fcntl.fcntl(file, fcntl.F_DUPFD, MANY) for file in files]
        os.closerange(3, MANY)
        for file, number in zip(kept, request["fds"]):
            os.dup2(file, number)
            os.close(file)
        os.environ.clear()
        os.environ.update(request["env"])
        exec(request["program"], {"__name__": "__main__"})
        os._exit(0)

    def start(self, path: str, args: list, fds: list[int]) -> int:
        """Takes the place of `multiprocessing.util.spawnv_passfds`. Returns the process."""
        if "multiprocessing.forkserver" not in args[-1] or self._started:
            return spawnv_passfds(path, args, fds)
        self._started = True
        request = {"program": args[-1], "fds": list(fds), "env": dict(os.environ)}
        socket.send_fds(self._socket, [json.dumps(request).encode()], list(fds))
        return self._pid


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
