"""The order in which items are computed, and threads that compute them."""

import signal
import threading
import time
from importlib import import_module

import pytest

from latentlink.execution.agenda import Agenda
from latentlink.execution.executor import in_order
from latentlink.execution.local import Threads


def test_a_lane_stays_with_its_group_and_helps_where_most_is_left():
    agenda = Agenda("aaabbbbbcc")
    first = [agenda.next_for("one") for _ in range(2)]
    second = [agenda.next_for("two") for _ in range(2)]
    assert (first, second) == ([0, 1], [3, 4])
    assert [agenda.next_for("one") for _ in range(3)] == [2, 8, 9]  # the rest of its own group, then the group that is nobody's
    assert agenda.next_for("one") == 5  # none is left but the other's
    agenda.put_back(8)
    assert [agenda.next_for("two") for _ in range(4)] == [6, 7, 8, None]


@pytest.mark.parametrize("width", [1, 3])
def test_every_item_ends_once_with_its_value_or_its_error(width):
    def reciprocal(value):
        return 1 / value

    ended = sorted(Threads(width).run(reciprocal, [1, 0, 2, 4, 0, 8] * 5, group=lambda value: value % 3), key=lambda each: each.number)
    assert [each.number for each in ended] == list(range(30))
    assert [each.value for each in ended] == [1, None, 0.5, 0.25, None, 0.125] * 5
    with pytest.raises(ZeroDivisionError):
        ended[1].result()


def test_values_come_in_order_as_soon_as_they_may():
    def wait(seconds):
        time.sleep(seconds)
        return seconds

    delays = [0.1, 0.0, 0.05, 0.0]
    assert list(in_order(Threads(3).run(wait, delays))) == delays
    with pytest.raises(ZeroDivisionError):
        list(in_order(Threads(2).run(lambda value: 1 / value, [1, 0])))


def test_no_more_items_are_begun_than_are_taken_and_none_after_the_end():
    begun, most, under_way, lock = [], [], [], threading.Lock()

    def work(number):
        with lock:
            begun.append(number)
            under_way.append(number)
            most.append(len(under_way))
        time.sleep(0.01)
        with lock:
            under_way.remove(number)

    running = Threads(2).run(work, range(100))
    for _ in range(3):
        next(running)
    time.sleep(0.1)
    assert len(begun) <= 3 + 2
    running.close()
    time.sleep(0.1)
    assert len(begun) <= 3 + 2
    assert max(most) == 2


def test_there_is_at_least_one_thread():
    with pytest.raises(ValueError, match="width must be an integer >= 1, got 0"):
        Threads(0)


def test_an_interruption_is_heard_before_an_item_ends():
    """Polars has system calls go on that a signal interrupted, so that a wait without an end would hear of none."""
    import_module("polars")
    begun, free = threading.Event(), threading.Event()

    def work(item):
        begun.set()
        free.wait(20)

    def interrupt():
        begun.wait(20)
        time.sleep(0.3)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    started = time.perf_counter()
    try:
        threading.Thread(target=interrupt, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            next(Threads(2).run(work, [1, 2]))
    finally:
        signal.signal(signal.SIGINT, before)
        free.set()
    assert time.perf_counter() - started < 10
