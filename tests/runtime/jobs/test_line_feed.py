"""Lines are read ahead in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from wangp_cli.errors import WangpError
from wangp_cli.runtime.intake import TaskLine
from wangp_cli.runtime.jobs.line_feed import LineFeed


def line(number: int) -> TaskLine:
    return TaskLine(number=number, source="t", values={})


def test_lines_come_in_order_and_then_the_feed_ends() -> None:
    feed = LineFeed()
    feed.start(map(line, range(1, 301)))
    taken: list[TaskLine | WangpError] = []
    while not feed.ended:
        taken += feed.take(100, wait_seconds=1)
    assert taken == list(map(line, range(1, 301)))


def test_a_source_that_blocks_does_not_block_the_feed() -> None:
    gate = threading.Event()

    def lines() -> Iterator[TaskLine]:
        yield line(1)
        gate.wait(60)
        yield line(2)

    feed = LineFeed()
    feed.start(lines())
    assert feed.take(wait_seconds=10) == [line(1)]
    assert (feed.take(), feed.ended) == ([], False)
    gate.set()
    assert feed.take(wait_seconds=10)[0] == line(2)


def test_an_error_of_the_source_is_given_after_its_lines() -> None:
    def lines() -> Iterator[TaskLine]:
        yield line(1)
        raise OSError("the disk is away")

    feed = LineFeed()
    feed.start(lines())
    taken: list[TaskLine | WangpError] = []
    while not feed.ended:
        taken += feed.take(wait_seconds=1)
    assert taken[0] == line(1)
    assert isinstance(taken[1], WangpError)
