"""`wangp batch` with files of a host that is allowed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.batches import Batches, ends
from tests.support.web_server import Site, sends, site, status

SAMPLES = Path(__file__).parents[2] / "docs" / "samples"
FIRST, LAST = ((SAMPLES / f"circle-{number}.png").read_bytes() for number in (1, 3))


@pytest.fixture
def web() -> Iterator[Site]:
    """A server that has two pictures."""
    with site() as found:
        found.answers |= {"/a.png": sends(FIRST), "/b.png": sends(LAST)}
        yield found


def test_a_payload_with_addresses_runs_once_its_host_is_allowed(batches: Batches, web: Site) -> None:
    (payload,) = json.loads((SAMPLES / "travel_payload.json").read_text())
    details = payload["params"]["orchestrator_details"] | {"model_name": "noop", "num_inference_steps": 1}
    details["input_image_paths_resolved"] = [
        web.url("/a.png?token=1"),
        web.url("/b.png"),
        web.url("/a.png?token=1"),
    ]
    payload["params"]["orchestrator_details"] = details
    path = batches.tasks(payload)
    refused = batches.run(path, code=1).only("task.rejected")["error"]
    assert refused["message"].startswith("input_image_paths_resolved: 'http://127.0.0.1")
    assert not web.asked
    result = batches.run(path, "--allow-url", web.host)
    assert list(ends(result).values()) == ["completed"]
    assert sorted(name for name, _ in web.asked) == ["/a.png?token=1", "/b.png"]
    told = [event["data"] for event in result.events if event["type"] == "download.progress"]
    assert told
    assert "token" not in (batches.folder / "out").read_text().split('"task.accepted"')[0]
    (record,) = batches.history()[-1:]
    assert record["request"]["images"] == [web.url("/a.png"), web.url("/b.png"), web.url("/a.png")]
    assert record["inputs"]["checksums"] == {
        web.url("/a.png"): hashlib.sha256(FIRST).hexdigest(),
        web.url("/b.png"): hashlib.sha256(LAST).hexdigest(),
    }
    assert not list((batches.out / ".wangp").glob("*fetched*"))


def test_a_history_line_is_held_to_what_was_fetched(batches: Batches, web: Site) -> None:
    batches.run(
        batches.tasks({"task_id": "a", "prompt": "x", "seed": 1, "image_start": web.url("/a.png")}),
        "--allow-url", web.host,
    )  # fmt: skip
    history = batches.folder / "again.jsonl"
    history.write_text((batches.out / "manifests" / "run_history.jsonl").read_text())
    assert ends(batches.run(history, "--allow-url", web.host, "--overwrite"))["a"] == "completed"
    web.answers["/a.png"] = sends(LAST)
    result = batches.run(history, "--allow-url", web.host, "--overwrite", code=1)
    assert "is not the file this request was made with" in result.only("task.rejected")["error"]["message"]


def test_what_cannot_be_fetched_is_its_line_s_and_waits_for_resume(batches: Batches, web: Site) -> None:
    web.answers["/c.png"] = status(404)
    good, bad = ({"task_id": name, "prompt": "x", "image_start": web.url(f"/{name}.png")} for name in "ac")
    batches.environment["WANGP_ALLOW_URL"] = f"example.org,{web.host}"
    result = batches.run(batches.tasks(bad, good), code=1)
    assert ends(result) == {"c": "rejected", "a": "completed"}
    assert result.only("task.rejected")["error"]["kind"] == "fetch"
    web.answers["/c.png"] = sends(LAST)
    assert ends(batches.run(batches.tasks(bad, good), "--resume")) == {"c": "completed", "a": "skipped"}
    asked = [name for name, _ in web.asked]
    assert asked.count("/a.png") == 1
    strict = batches.run(batches.tasks(bad | {"task_id": "d"}), "--untrusted", "--resume", code=1)
    assert ends(strict)["d"] == "rejected"


def test_a_dry_run_fetches_what_it_must_see_and_keeps_nothing(batches: Batches, web: Site) -> None:
    task = {"task_id": "a", "prompt": "x", "image_start": web.url("/a.png")}
    batches.run(batches.tasks(task), "--dry-run", "--allow-url", web.host)
    assert '"image_start"' in (batches.folder / "out").read_text()
    assert not batches.out.exists()


def test_a_host_that_is_none_is_an_error(batches: Batches) -> None:
    result = batches.run(batches.tasks({"prompt": "x"}), "--allow-url", "https://example.org/", code=2)
    assert "--allow-url: 'https://example.org/' is no HOST" in result.stderr


def test_what_was_fetched_waits_for_tasks_that_are_not_done(batches: Batches, web: Site) -> None:
    task = {"task_id": "a", "prompt": "crash", "image_start": web.url("/a.png")}
    assert ends(batches.run(batches.tasks(task), "--allow-url", web.host, code=1)) == {"a": "failed"}
    assert ends(batches.run("--resume", code=1)) == {"a": "failed"}
    assert len(web.asked) == 1
    assert len(list((batches.out / ".wangp").glob("*fetched/*.png"))) == 1
