from __future__ import annotations

import io
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.runtime.intake import TaskLine, read_lines
from wangp_cli.runtime.intake.readers import MAX_LINES
from wangp_cli.value_layers import Origin

SAMPLES = Path(__file__).parents[3] / "docs" / "samples"
TASK = {"model": "starter", "prompt": "a red circle"}


def lines(source: Path | str, stdin: bytes = b"", **more: Any) -> list[TaskLine]:
    return list(read_lines(source, stdin=io.BytesIO(stdin), work=Path("/nonexistent"), **more))


def prompts(found: list[TaskLine]) -> list[str | None]:
    return [line.values["prompt"] if line.values else None for line in found]


def write(folder: Path, name: str, value: Any) -> Path:
    file = folder / name
    file.write_text(value if isinstance(value, str) else json.dumps(value))
    return file


def test_lines_of_a_file_come_with_their_numbers_and_absolute_paths(tmp_path: Path) -> None:
    (tmp_path / "style.safetensors").touch()
    task = TASK | {
        "image_start": "a/../b.png",
        "image_refs": ["c.png"],
        "loras": ["style.safetensors@0.5", "other"],
    }
    (line,) = lines(write(tmp_path, "tasks.jsonl", "\ufeff# note\r\n\r\n" + json.dumps(task) + "\r\n"))
    assert line.number == 3
    assert line.layer({}).origin == Origin("line", "line 3 of tasks.jsonl")
    assert line.values is not None
    assert line.values["image_start"] == str(tmp_path / "b.png")
    assert line.values["image_refs"] == [str(tmp_path / "c.png")]
    assert line.values["loras"] == [f"{tmp_path / 'style.safetensors'}@0.5", "other"]


def test_the_samples_are_read() -> None:
    assert [line.task_id for line in lines(SAMPLES / "tasks.jsonl")] == ["circle-right", "square-still"]
    (settings,) = lines(SAMPLES / "wangp_settings.json")
    assert settings.values is not None
    assert settings.values["frames"] == 81
    assert settings.values["loras"] == ["ink.safetensors@0.8"]
    queue = lines(SAMPLES / "wangp_queue.json")
    assert [line.task_id for line in queue] == ["1", "2-1", "2-2"]
    assert prompts(queue) == ["The gate opens", "fox in the snow", "owl in the snow"]


def test_the_list_of_the_older_tool_is_read_with_its_accelerator(tmp_path: Path) -> None:
    found = lines(SAMPLES / "tasks.json")
    assert [line.task_id for line in found] == ["causvid_lora_example_001", "vace_14b_example_001"]
    assert all(line.values and line.values["accelerator"] == "causvid" for line in found)
    tasks = [
        {k: v for k, v in t.items() if "lora" not in k}
        for t in json.loads((SAMPLES / "tasks.json").read_text())
    ]
    first, second = lines(write(tmp_path, "tasks.json", tasks))
    assert first.values == {
        "task_id": "causvid_lora_example_001",
        "prompt": "A rainy city at night, neon signs mirrored in the street",
        "model": "t2v",
        "size": "960x544",
        "frames": 81,
        "seed": 2024,
        "output_dir": "causvid_city",
    }
    assert second.values is not None
    assert second.values["video_mask"] == str(tmp_path / "clips/mask.mp4")


@pytest.mark.parametrize(
    "document",
    [
        TASK,
        {"tasks": [TASK]},
        {"settings": TASK},
        [TASK],
        [{"id": 1, "params": TASK, "plugin_data": {}}],
        {"task": TASK, "error": {"kind": "request"}, "failed_at": "now"},
        {"task_id": "a", "task_type": "generate", "params": TASK},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["tasks.json", "tasks.txt"])
def test_every_envelope_is_taken_off(tmp_path: Path, document: Any, indent: int | None, name: str) -> None:
    (line,) = lines(write(tmp_path, name, json.dumps(document, indent=indent)))
    assert line.error is None
    assert line.number == 1
    assert prompts([line]) == ["a red circle"]


def test_a_wrong_item_harms_no_other(tmp_path: Path) -> None:
    text = json.dumps(TASK)
    found = lines(write(tmp_path, "tasks.json", f'[{text}, {{"steps": NaN}}, 7, {text}, {{"a" 1}}, {text},]'))
    assert [line.number for line in found if line.error] == [2, 3, 5, 7]
    assert [line.number for line in found if line.values] == [1, 4, 6]


def test_a_list_without_end_gives_what_it_has(tmp_path: Path) -> None:
    first, last = lines(write(tmp_path, "tasks.json", f"[{json.dumps(TASK)}, {{"))
    assert first.values
    assert last.error
    assert "no end" in last.error.message


def test_standard_input_gives_each_line_when_it_is_complete() -> None:
    read, write_ = os.pipe()
    got: list[TaskLine] = []
    seen = threading.Event()

    def consume() -> None:
        with os.fdopen(read, "rb") as stdin:
            for line in read_lines("-", stdin=stdin, work=Path()):
                got.append(line)
                seen.set()

    thread = threading.Thread(target=consume)
    thread.start()
    os.write(write_, json.dumps(TASK).encode() + b"\n" + b'{"half": ')
    assert seen.wait(5)
    assert len(got) == 1
    os.write(write_, b"1}")
    os.close(write_)
    thread.join(5)
    assert got[0].values == TASK
    assert got[1].error
    assert got[1].number == 2


def test_standard_input_may_be_a_list_and_lines_may_follow_a_short_one() -> None:
    assert prompts(lines("-", json.dumps([TASK, TASK], indent=1).encode())) == ["a red circle"] * 2
    found = lines("-", b"[1]\n" + json.dumps(TASK).encode())
    assert [bool(line.error) for line in found] == [True, False]
    assert found[1].number == 2


def test_a_pretty_printed_object_on_standard_input_is_explained() -> None:
    found = lines("-", json.dumps(TASK, indent=1).encode())
    assert found[0].error
    assert ".json file" in str(found[0].error.hint)


def test_an_earlier_run_is_read_with_its_checksums(tmp_path: Path) -> None:
    record = {
        "task_id": "t-1",
        "output_dir": str(tmp_path / "out"),
        "status": "success",
        "inputs": {"checksums": {"../in/a.png": "ab"}},
        "request": TASK | {"type": "generate", "image_start": "../in/a.png", "seed": 5, "overwrite": True},
    }
    (line,) = lines(write(tmp_path, "run_history.jsonl", record))
    picture = str(tmp_path / "in/a.png")
    assert line.values == TASK | {"type": "generate", "image_start": picture, "seed": 5, "task_id": "t-1"}
    assert line.checksums == {picture: "ab"}


def test_letters_may_mean_an_input_that_a_flag_names(tmp_path: Path) -> None:
    file = write(tmp_path, "tasks.jsonl", TASK | {"image_prompt_type": "S"})
    assert lines(file)[0].error
    assert lines(file, given={"image_start"})[0].error is None


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    (line,) = lines(write(tmp_path, "t.jsonl", TASK | {"video_prompt_type": "", "video_guide": "a.mp4"}))
    assert line.values == TASK
    assert line.notices == ("video_guide: ignored, video_prompt_type '' does not use it",)


def test_equal_lines_have_equal_digests(tmp_path: Path) -> None:
    first, second = lines(write(tmp_path, "t.jsonl", '{"prompt": "a", "steps": 2}\n{"steps":2,"prompt":"a"}'))
    assert first.digest == second.digest


def test_a_file_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    for wrong in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(RequestError):
            read_lines(wrong, stdin=io.BytesIO(), work=tmp_path)


def test_too_many_lines_end_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wangp_cli.runtime.intake.readers.MAX_LINES", 3)
    found = lines(write(tmp_path, "t.jsonl", "1\n2\n3\n4\n5\n"))
    assert len(found) == 4
    assert "more than" in str(found[3].error)
    assert MAX_LINES == 100_000


def test_many_lines_take_little_memory(tmp_path: Path) -> None:
    import tracemalloc

    file = tmp_path / "t.jsonl"
    with file.open("w") as opened:
        for number in range(2_000):
            opened.write(json.dumps(TASK | {"seed": number}) + "\n")
    tracemalloc.start()
    count = sum(1 for _ in read_lines(file, stdin=io.BytesIO(), work=tmp_path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 2_000
    assert peak < 1_000_000


def piped(folder: Path, data: bytes) -> Path:
    """A named pipe that another thread writes to."""
    pipe = folder / "tasks.jsonl"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_bytes, args=(data,), daemon=True).start()
    return pipe


def test_a_named_pipe_is_read_once_and_loses_no_line(tmp_path: Path) -> None:
    texts = [json.dumps(TASK | {"task_id": f"t{n}", "image_start": "a.png"}) for n in range(2000)]
    found = lines(piped(tmp_path, "".join(f"{text}\n" for text in texts).encode()))
    assert [line.task_id for line in found] == [f"t{n}" for n in range(2000)]
    assert found[0].values is not None
    assert found[0].values["image_start"] == str(Path.cwd() / "a.png"), "as from standard input"


def test_an_open_descriptor_is_read_once(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, (json.dumps(TASK) + "\n").encode() * 3)
    os.close(writer)
    assert len(lines(f"/dev/fd/{reader}")) == 3
    os.close(reader)


def test_a_list_comes_through_a_pipe_and_an_archive_does_not(tmp_path: Path) -> None:
    assert prompts(lines(piped(tmp_path, json.dumps([TASK, TASK]).encode()))) == ["a red circle"] * 2
    (line,) = lines("-", b"PK\x03\x04" + b"x" * 100)
    assert line.error is not None
    assert "cannot be read as a stream" in line.error.message
