"""`wangp batch`: what goes in, what comes out, what is left."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.support.batches import Batches, ends
from tests.support.old_stores import downgrade_to_version_1
from wangp_cli.media.stills import read_image
from wangp_cli.runtime.history.log import HISTORY

A, B, C = ({"task_id": name, "prompt": f"a {name}", "seed": 3} for name in "abc")


def test_lines_run_in_order_under_the_names_they_have(batches: Batches) -> None:
    result = batches.run(batches.tasks(A, B, C))
    assert ends(result) == dict.fromkeys("abc", "completed")
    assert list(ends(result)) == ["a", "b", "c"]
    assert batches.files() == ["a.png", "b.png", "c.png"]
    assert [event["data"]["line"] for event in result.events if event["type"] == "task.accepted"] == [1, 2, 3]
    assert [line["task_id"] for line in batches.history()] == ["a", "b", "c"]


def test_a_bad_line_is_rejected_by_number_and_the_rest_runs(batches: Batches) -> None:
    result = batches.run(batches.tasks(A, "{", B | {"steps": 0}, "[]", C), code=1)
    rejected = [event for event in result.events if event["type"] == "task.rejected"]
    assert [(event["data"]["line"], event["task"]) for event in rejected] == [(2, None), (3, "b"), (4, None)]
    assert ends(result)["a"] == ends(result)["c"] == "completed"


def test_rejected_lines_and_notices_are_in_the_history(batches: Batches) -> None:
    broken = A | {"task_id": "steps", "steps": 0}
    path = batches.tasks(A | {"size": "40x40", "batch_size": 1}, broken, "{", C | {"image_start": "gone.png"})
    result = batches.run(path, code=1)
    history = batches.history()
    ended = {(record["task_id"], record["status"]): record for record in history}
    assert ended.keys() == {("a", "success"), ("steps", "rejected"), (None, "rejected"), ("c", "rejected")}
    for event in result.events:
        if event["type"] == "task.rejected":
            record = ended[event["task"], "rejected"]
            assert (record["line"], record["error"]) == (event["data"]["line"], event["data"]["error"])
            assert record["run_id"] == event["run"]
    told = [event["data"]["message"] for event in result.events if event["type"] == "log"]
    assert told
    assert ended["a", "success"]["notices"] == told
    # A history that is run again says what was rejected before.
    shutil.copy(batches.out / HISTORY, batches.folder / "again.jsonl")
    again = batches.run(batches.folder / "again.jsonl", "--overwrite", code=1)
    errors = [e["data"]["error"]["message"] for e in again.events if e["type"] == "task.rejected"]
    assert len(errors) == 3
    assert all("was rejected in the run of this history: " in error for error in errors)


def test_the_history_that_a_run_appends_to_is_no_file_of_tasks(batches: Batches) -> None:
    history = batches.out / HISTORY
    history.parent.mkdir(parents=True)
    history.write_text(json.dumps({"task_id": "a", "status": "success", "request": A}) + "\n")
    link = batches.folder / "link.jsonl"
    link.symlink_to(history)
    for words in ((history,), ("--watch", link, "--dry-run")):
        result = batches.run(*words, code=2)
        assert "is the run history, which this run appends to" in result.stderr
    assert len(batches.history()) == 1


def test_a_failure_is_one_task_s_and_exits_with_1(batches: Batches) -> None:
    result = batches.run(batches.tasks(A, B | {"prompt": "crash"}, C), code=1)
    assert ends(result) == {"a": "completed", "b": "failed", "c": "completed"}


def test_fail_fast_leaves_the_rest_for_resume(batches: Batches) -> None:
    path = batches.tasks(A, B | {"prompt": "crash"}, C)
    assert list(ends(batches.run(path, "--fail-fast", code=1))) == ["a", "b"]
    assert ends(batches.run("--resume", code=1)) == {"a": "skipped", "b": "failed", "c": "completed"}


def test_unnamed_lines_are_named_by_what_they_say(batches: Batches) -> None:
    line = {"prompt": "a ball", "seed": 1}
    assert len(ends(batches.run(batches.tasks(line, line, {"prompt": "a ball", "seed": 2})))) == 3
    names = batches.files()
    assert sum(name.endswith("-2.png") for name in names) == 1
    shutil.rmtree(batches.out)
    batches.run(batches.tasks({"seed": 1, "prompt": "a ball"}, line, {"prompt": "a ball", "seed": 2}))
    assert batches.files() == names


def test_a_template_names_files_and_a_count_numbers_them(batches: Batches) -> None:
    batches.run(batches.tasks(A | {"count": 2}), "--name", "{model}-{seed}-{index}")
    assert batches.files() == ["noop-3-001.png", "noop-4-002.png"]


def test_two_lines_never_write_one_file(batches: Batches) -> None:
    lines = [A | {"output": "x.png"}, B | {"output": "x.png"}, C | {"output": "./x.png", "overwrite": True}]
    assert ends(batches.run(batches.tasks(*lines), code=1)) == {
        "a": "completed",
        "b": "rejected",
        "c": "rejected",
    }


def test_one_id_is_one_task(batches: Batches) -> None:
    result = batches.run(batches.tasks(A, A, A | {"seed": 9}), code=1)
    assert [event["type"] for event in result.events if event["type"].startswith("task.re")] == [
        "task.rejected"
    ]
    assert any("runs once" in event["data"].get("message", "") for event in result.events)
    assert batches.files() == ["a.png"]


@pytest.mark.parametrize(
    ("flag", "end", "changed"),
    [(None, "rejected", False), ("--skip-existing", "skipped", False), ("--overwrite", "completed", True)],
)
def test_a_file_that_is_there(batches: Batches, flag: str | None, end: str, changed: bool) -> None:
    batches.out.mkdir()
    (batches.out / "a.png").write_bytes(b"somebody's")
    result = batches.run(batches.tasks(A), *([flag] if flag else []), code=None)
    assert ends(result) == {"a": end}
    assert ((batches.out / "a.png").read_bytes() != b"somebody's") == changed


def test_resume_skips_what_is_done_and_changes_nothing(batches: Batches) -> None:
    path = batches.tasks(A, B, C | {"prompt": "crash"})
    batches.run(path, code=1)
    before = {name: (batches.out / name).stat().st_mtime_ns for name in batches.files()}
    for arguments in ([path, "--resume"], ["--resume"]):
        result = batches.run(*arguments, code=1)
        assert ends(result) == {"a": "skipped", "b": "skipped", "c": "failed"}
    assert {name: (batches.out / name).stat().st_mtime_ns for name in batches.files()} == before


def test_resume_makes_a_lost_file_again_and_leaves_a_changed_one(batches: Batches) -> None:
    path = batches.tasks(A, B | {"count": 2})
    batches.run(path)
    (batches.out / "a.png").write_bytes(b"edited")
    lost, kept = sorted(batches.out.glob("b*.png"))
    lost.unlink()
    result = batches.run(path, "--resume", code=1)
    assert ends(result) == {"a": "rejected", "b": "completed"}
    assert (batches.out / "a.png").read_bytes() == b"edited"
    assert lost.exists()
    assert kept.exists()


def test_resume_runs_a_failed_line_that_was_put_right(batches: Batches) -> None:
    batches.run(batches.tasks(A, B | {"prompt": "crash"}), code=1)
    assert ends(batches.run(batches.tasks(A, B), "--resume")) == {"a": "skipped", "b": "completed"}


def test_resume_does_not_take_a_done_task_for_another(batches: Batches) -> None:
    batches.run(batches.tasks(A))
    result = batches.run(batches.tasks(A | {"seed": 4}), "--resume", code=1)
    assert result.only("task.rejected")["error"]["kind"] == "conflict"


def test_an_unfinished_batch_is_not_thrown_away(batches: Batches) -> None:
    batches.run(batches.tasks(A, B | {"prompt": "crash"}, C), "--fail-fast", code=1)
    process = batches.start(batches.tasks(A))
    process.join()
    assert process.exitcode == 5
    assert "--resume" in (batches.folder / "err").read_text()


def test_two_batches_do_not_share_a_folder(batches: Batches) -> None:
    first = batches.start(batches.tasks({"task_id": "a", "prompt": "sleep", "steps": 500}))
    batches.wait_for("task.started")
    batches.start(batches.tasks(B, name="other.jsonl")).join(30)
    assert "another batch works" in (batches.folder / "err").read_text()
    assert first.is_alive()
    first.terminate()
    first.join(30)
    assert first.exitcode == 143


def test_an_attempt_after_too_little_memory_needs_less(batches: Batches) -> None:
    result = batches.run(batches.tasks(A | {"prompt": "oom"}))
    assert result.only("task.retrying")["change"] == "profile 3"
    assert [line["status"] for line in batches.history()] == ["error", "success"]


def test_memory_that_runs_out_twice_is_the_end(batches: Batches) -> None:
    result = batches.run(batches.tasks(A | {"prompt": "oom in all"}), "--retries", 5, code=1)
    assert ends(result) == {"a": "failed"}
    assert result.only("task.failed")["error"]["kind"] == "oom"
    assert [line["status"] for line in batches.history()] == ["error", "error"]


def test_a_task_has_its_time(batches: Batches) -> None:
    lines = [A | {"prompt": "sleep", "steps": 500}, B]
    result = batches.run(batches.tasks(*lines), "--task-timeout", 0.3, code=1)
    assert ends(result) == {"a": "failed", "b": "completed"}
    assert result.only("task.failed")["error"]["kind"] == "timeout"


@pytest.mark.parametrize(
    "flags", [("--limit", 0), ("--retries", -1), ("--task-timeout", "nan"), ("--shard", "3/2"), ()]
)
def test_nonsense_is_refused_before_anything_is_made(batches: Batches, flags: tuple[object, ...]) -> None:
    process = batches.start(*([batches.tasks(A), *flags] if flags else []))
    process.join()
    assert process.exitcode == 2
    assert not batches.out.exists()


def test_a_dry_run_lists_every_fault_and_makes_nothing(batches: Batches) -> None:
    result = batches.run(batches.tasks(A, "{", B | {"steps": 0}, B), "--dry-run", code=2)
    reports = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(report["line"], "error" in report) for report in reports] == [
        (1, False),
        (2, True),
        (3, True),
        (4, False),
    ]
    assert reports[0]["origin"]["prompt"] == "line 1 of tasks.jsonl"
    assert not batches.out.exists()


def test_older_words_are_told_to_people(batches: Batches) -> None:
    result = batches.run(
        batches.tasks({"task_id": "a", "prompt": "a", "num_inference_steps": 2, "tea_cache": 0}), code=None
    )
    assert ends(result) in ({"a": "completed"}, {"a": "rejected"})


def test_a_folder_of_pictures_is_one_task_each(batches: Batches) -> None:
    batches.run(batches.tasks(A, B))
    pictures = batches.out.rename(batches.folder / "pictures")
    (pictures / "a.txt").write_text("from the text beside it")
    result = batches.run("--each-image", pictures, "-m", "noop", "-p", "from the flag")
    accepted = [event["data"]["request"] for event in result.events if event["type"] == "task.accepted"]
    assert [request["prompt"] for request in accepted] == ["from the text beside it", "from the flag"]
    assert [Path(request["image_start"]).name for request in accepted] == ["a.png", "b.png"]


def test_a_run_history_makes_the_same_again(batches: Batches) -> None:
    batches.run(batches.tasks(A | {"seed": -1}, B))
    first = batches.out.rename(batches.folder / "first")
    batches.run(first / "manifests" / "run_history.jsonl")
    for name in ("a.png", "b.png"):
        assert (read_image(first / name) == read_image(batches.out / name)).all()


def test_the_older_task_list_and_a_queue_of_wangp_run(batches: Batches) -> None:
    listed = [
        {"task_id": "t1", "prompt": "one", "model": "noop"},
        {"task_id": "t2", "prompt": "two", "model": "noop"},
    ]
    path = batches.folder / "tasks.json"
    path.write_text(json.dumps(listed, indent=2))
    assert len(ends(batches.run(path))) == 2
    queue = batches.folder / "queue.zip"
    with zipfile.ZipFile(queue, "w") as archive:
        archive.writestr(
            "queue.json", json.dumps([{"id": 1, "params": {"prompt": "q", "model_type": "noop"}}])
        )
    assert len(ends(batches.run(queue))) == 1


def test_a_task_reads_only_where_it_may(batches: Batches, tmp_path_factory: pytest.TempPathFactory) -> None:
    batches.run(batches.tasks(A))
    outside = tmp_path_factory.mktemp("outside") / "a.png"
    shutil.copy(batches.out / "a.png", outside)
    path = batches.tasks(B | {"image_start": str(outside)}, C | {"image_start": "results/a.png"})
    assert ends(batches.run(path, code=1)) == {"b": "rejected", "c": "completed"}
    shutil.rmtree(batches.out)
    path = batches.tasks(B | {"image_start": str(outside)})
    assert ends(batches.run(path, "--allow-path", outside.parent)) == {"b": "completed"}
    inside = batches.folder / "in.png"
    shutil.copy(outside, inside)
    assert ends(batches.run(batches.tasks(C | {"image_start": "in.png"}), "--untrusted", code=1)) == {
        "c": "rejected"
    }


@pytest.mark.parametrize(("given", "code"), [("-", 2), ("tasks.jsonl", 0)])
def test_a_closed_standard_input_matters_only_where_it_is_read(
    run: Run, tmp_path: Path, given: str, code: int
) -> None:
    (tmp_path / "tasks.jsonl").write_text("# nothing to do\n")
    done = run("batch", given, "--json", preexec_fn=lambda: os.close(0), stdin=None, code=code)
    assert ("standard input is closed" in done.stderr) == (code == 2)


@pytest.mark.parametrize("again", [False, True])
def test_a_folder_of_the_last_release_is_resumed(batches: Batches, again: bool) -> None:
    tasks = batches.tasks(A, B, C)
    batches.run(tasks)
    # As the last release left it: one done, one killed at work, one held back.
    killed = {"state": "running", "result": None}
    held = {"state": "blocked", "result": None, "files": "[]", "attempt": 0, "token": 0}
    downgrade_to_version_1(batches.out / ".wangp" / "batch.sqlite", {"b": killed, "c": held})
    (batches.out / "c.png").unlink()
    (batches.out / "manifests" / "run_history.jsonl").unlink()
    result = batches.run(*([tasks] if again else []), "--resume")
    assert ends(result) == {"a": "skipped", "b": "completed", "c": "completed"}
    assert batches.files() == ["a.png", "b.png", "c.png"]
    assert ends(batches.run("--resume")) == dict.fromkeys("abc", "skipped")
