"""The way of one exception through the code is counted, so that nobody makes it longer without a word."""

import pytest

from errors import BadInput
from tests.bench.trace import Route, trace

MOST_FILES, MOST_FUNCTIONS, MOST_CHANGES = 39, 327, 199


def test_the_way_of_an_exception_is_no_longer_than_it_was() -> None:
    way = trace("O-99308")
    assert way.functions[0] == ("graphs/runtime.py", "Runtime.take_in")
    assert ("nodes/execute.py", "close") in way.functions
    counted = (len(way.files), len(way.functions), way.changes)
    assert all(one <= most for one, most in zip(counted, (MOST_FILES, MOST_FUNCTIONS, MOST_CHANGES), strict=True)), counted
    assert f"{counted[1]} functions in {counted[0]} files" in list(way.lines())[-1]


def test_a_file_that_is_entered_again_is_a_change_back() -> None:
    way = Route([("a.py", "one"), ("b.py", "two"), ("a.py", "three"), ("a.py", "four")])
    assert (way.files, way.changes, way.back) == (["a.py", "b.py"], 2, 1)


def test_a_subject_of_no_recorded_exception_is_refused() -> None:
    with pytest.raises(BadInput, match="no recorded exception of O-1;"):
        trace("O-1")
