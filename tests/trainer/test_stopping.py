import signal
import time

import pytest

from sketchy.interrupts import stop_signals
from sketchy.trainer.stopping import stop_on_signals

SIGNALS = tuple(stop_signals())


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in SIGNALS]


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_is_a_request(number):
    with stop_on_signals() as stop:
        assert not stop.asked
        signal.raise_signal(number)
        assert stop.asked
        assert stop.asked


def test_without_a_signal_nothing_is_asked_for():
    with stop_on_signals() as stop:
        time.sleep(0)
    assert not stop.asked


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupt_after_the_first_signal_interrupts_at_once(number):
    before = handlers()
    with pytest.raises(KeyboardInterrupt), stop_on_signals() as stop:  # noqa: PT012
        signal.raise_signal(number)
        assert stop.asked
        signal.raise_signal(signal.SIGINT)
    assert handlers() == before


def test_a_second_sigterm_is_still_a_request():
    with stop_on_signals() as stop:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stop.asked


def test_the_handlers_of_before_come_back():
    def own(number, frame):
        raise AssertionError("not in here")

    previous = signal.signal(signal.SIGTERM, own)
    try:
        before = handlers()
        with stop_on_signals():
            assert handlers() != before
            signal.raise_signal(signal.SIGINT)
        assert handlers() == before
        assert handlers()[1] is own
    finally:
        signal.signal(signal.SIGTERM, previous)


def test_the_handlers_come_back_after_an_error():
    before = handlers()
    with pytest.raises(ValueError, match="wrong"), stop_on_signals():
        raise ValueError("wrong")
    assert handlers() == before


def test_each_use_asks_afresh():
    with stop_on_signals():
        signal.raise_signal(signal.SIGINT)
    with stop_on_signals() as stop:
        assert not stop.asked
        signal.raise_signal(signal.SIGINT)
        assert stop.asked
