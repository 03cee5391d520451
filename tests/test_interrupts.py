import signal
import subprocess
import sys

import pytest

from sketchy import interrupts


def test_a_library_user_keeps_their_signal_handlers():
    before = [signal.getsignal(number) for number in interrupts.stop_signals()]
    interrupts.raise_instead()
    with interrupts.quitting():
        assert [signal.getsignal(number) for number in interrupts.stop_signals()] == before
    assert [signal.getsignal(number) for number in interrupts.stop_signals()] == before


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(
    ("then", "told"),
    [
        ("", "stopped\n"),
        ("interrupts.raise_instead()", "KeyboardInterrupt\n"),
        ("interrupts.raise_instead()\nblock = interrupts.quitting()\nblock.__enter__()", "stopped\n"),
        ("interrupts.raise_instead()\nwith interrupts.quitting(): pass", "KeyboardInterrupt\n"),
        ("from sketchy.cli.console import one_line\nwith one_line(): interrupts.raise_instead()", "stopped\n"),
    ],
)
def test_a_signal_quits_before_and_after_work_even_if_it_was_ignored(name, then, told):
    code = f"""
import signal
signal.signal(signal.{name}, signal.SIG_IGN)
from sketchy import interrupts
interrupts.quit_at_once()
{then}
signal.raise_signal(signal.{name})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stderr.endswith(told)
    assert done.returncode in (interrupts.STOPPED, -signal.SIGINT)


@pytest.mark.parametrize(("before", "code"), [("SIG_DFL", interrupts.STOPPED), ("SIG_IGN", 0)])
def test_a_closed_terminal_stops_the_program_unless_nohup_is_used(before, code):
    code_run = f"""
import signal
signal.signal(signal.SIGHUP, signal.{before})
from sketchy import interrupts
interrupts.quit_at_once()
signal.raise_signal(signal.SIGHUP)
"""
    assert subprocess.run([sys.executable, "-c", code_run], capture_output=True, timeout=30).returncode == code


@pytest.mark.parametrize(("words", "code"), [("--version", 0), ("--nonsense", 2)])
@pytest.mark.parametrize("size", ["1", "2"])
def test_a_process_of_torchrun_ends_at_once_with_the_code_of_its_command(words, code, size, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", size)
    program = "import atexit; atexit.register(print, 'late'); from sketchy.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", program, words], capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    assert bool(done.stdout if words == "--version" else done.stderr)
    assert ("late" in done.stdout) == (size == "1")
