from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.support.malformed_lines import GOOD, Bad, malformed
from wangp_cli.errors import RequestError
from wangp_cli.runtime.intake import TaskLine, check_paths, confine_output, read_lines
from wangp_cli.runtime.intake.json_tasks import LineContext, lines_of
from wangp_cli.tasks.generate import Generate

LINES = malformed()


def settle(line: TaskLine, folder: Path) -> None:
    assert line.values is not None
    check_paths(line.values, [folder])
    values = confine_output(line.values, folder / "out")
    Generate.model_validate(values)
    for field in ("image_start",):
        if field in values and not Path(values[field]).exists():
            raise RequestError(field, "is not there")
    if values["model"] != "starter":
        raise RequestError("model", "is not known")
    if "{" in str(values.get("name", "")) and "seed" not in values["name"]:
        raise RequestError("name", "has an unknown field")


def test_there_are_two_hundred_different_ones() -> None:
    assert len({bad.text for bad in LINES}) == len(LINES) >= 200


def test_each_is_refused_for_its_reason_and_the_good_lines_around_it_still_come(tmp_path: Path) -> None:
    good = b'{"model": "starter", "prompt": "a red circle"}'
    file = tmp_path / "tasks.jsonl"
    file.write_bytes(b"".join(good + b"\n" + bad.text + b"\n" for bad in LINES))
    lines = list(read_lines(file, stdin=io.BytesIO(), work=tmp_path))
    assert [line.number for line in lines] == list(range(1, 2 * len(LINES) + 1))
    assert all(line.error is None for line in lines[::2])
    for bad, line in zip(LINES, lines[1::2], strict=True):
        if bad.stage == "read":
            assert line.error is not None, bad
            message = line.error.message
        else:
            assert line.error is None, (bad, line.error)
            with pytest.raises((RequestError, ValueError)) as caught:
                settle(line, tmp_path)
            message = str(caught.value)
        assert bad.reason in message.lower(), (bad.text[:200], message)
        assert len(message) < 40_000
        if bad.stage == "read":
            assert message.isprintable()
            assert len(message) < 500


def test_the_good_line_they_are_made_of_is_good(tmp_path: Path) -> None:
    (line,) = lines_of(GOOD, LineContext(source="x", folder=tmp_path))
    settle(line, tmp_path)


def test_a_bad_line_is_immutable() -> None:
    assert hash(Bad(text=b"", reason=""))
