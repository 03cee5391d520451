import os
import signal

import pytest

from sketchy.errors import DataError
from sketchy.processes import processes


def kill_oneself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_work_is_done_in_other_processes():
    with processes(1) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()


def test_a_killed_process_is_an_error_of_one_line():
    with (
        pytest.raises(DataError, match=r"was killed; perhaps the memory ran out; run the command again"),
        processes(1) as pool,
    ):
        pool.submit(kill_oneself).result()
