"""Runs the command line in forks of one process that has imported everything, each with its own streams.

A fork takes some 20 ms where a start with torch takes seconds, and its file descriptors are truly closed or full. Reads
a list of requests a line from stdin, as JSON, and answers with the exit codes.
"""

import gc
import json
import os
import signal
import sys
import time
import traceback

from PIL import Image

AT_ONCE = 2
KINDS = {"closed": None, "full": "/dev/full", "null": "/dev/null"}
STOPS = {signal.SIGINT, signal.SIGTERM}


def open_streams(paths: list[str], encoding: str | None) -> None:
    """Do what the interpreter does when it starts: a stream that is closed is None."""
    for number, path in enumerate(paths):
        path = KINDS.get(path, path)
        if path is None:
            os.close(number)
        else:
            opened = os.open(path, (os.O_WRONLY | os.O_CREAT | os.O_NOCTTY) if number else os.O_RDONLY)
            os.dup2(opened, number)
            os.close(opened)
    name, _, errors = (encoding or "utf-8").partition(":")
    for number, stream in enumerate(("stdin", "stdout", "stderr")):
        closed = KINDS.get(paths[number], "") is None
        how = {"encoding": name, "closefd": False, "errors": "backslashreplace" if number == 2 else errors or None}
        setattr(sys, stream, None if closed else open(number, "w" if number else "r", **how))  # noqa: SIM115, PTH123


def run_forked(request: dict) -> None:
    """Run one command; never returns."""
    code = 1
    try:
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        open_streams(request["streams"], request["environment"].get("PYTHONIOENCODING"))
        sys.argv = ["sketchy", *request["words"]]
        from sketchy import interrupts
        from sketchy.__main__ import main

        interrupts.quit_at_once()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS | {signal.SIGCHLD})
        main()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        code = 120
    os._exit(code)


def serve() -> None:
    """Answer requests until stdin ends."""
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    # Before libraries start threads: one that does not block SIGCHLD may take it, and `run_all` would wait in vain.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS | {signal.SIGCHLD})
    for name in json.loads(requests.readline()):
        __import__(name)
    Image.init()
    gc.collect()
    gc.freeze()  # a fork that collects garbage would copy all memory
    print("ready", file=answers, flush=True)
    for line in requests:
        print(json.dumps(run_all(json.loads(line))), file=answers, flush=True)


def run_all(requests: list[dict]) -> list[int]:
    """Run commands, two at a time; return their exit codes, or minus the signal that killed one."""
    codes = [0] * len(requests)
    waiting = list(enumerate(requests))
    running: dict[int, int] = {}
    due: dict[int, tuple[float, int]] = {}  # when each child is sent which signal
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            number, request = waiting.pop(0)
            child = start(request)
            running[child] = number
            if request["signal"]:
                due[child] = time.monotonic() + request["after"], request["signal"]
        now = time.monotonic()
        signal.sigtimedwait({signal.SIGCHLD}, max(0, min((when for when, _ in due.values()), default=now + 60) - now))
        for child, (when, sent) in list(due.items()):
            if when <= time.monotonic():
                os.kill(child, sent)
                del due[child]
        while running and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            child, status = ended
            due.pop(child, None)
            codes[running.pop(child)] = os.waitstatus_to_exitcode(status)
    return codes


def start(request: dict) -> int:
    """Fork a command and return its process id."""
    child = os.fork()
    if not child:
        signal.alarm(60)
        run_forked(request)
    return child


if __name__ == "__main__":
    serve()
