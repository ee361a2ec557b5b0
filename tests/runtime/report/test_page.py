from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.browser import Browser, browser
from tests.support.report_pages import NASTY, clip, history, line, written
from wangp_cli.files.safe_text import quote_for_shell
from wangp_cli.runtime.history.log import HISTORY
from wangp_cli.runtime.report.read_history import read_history

__all__ = ["browser"]


def cards(dumped: str) -> list[str]:
    """Ids of the drawn cards, in order."""
    return re.findall(r'<article class="card" data-task="([^"]*)"', dumped)


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    """A page of six tasks of two models."""
    video = clip(tmp_path / "b 1#.mp4")
    second = clip(tmp_path / "b 2.mp4")
    gone = clip(tmp_path / "c.mp4")
    history(
        tmp_path,
        line(
            "first",
            tmp_path,
            video,
            second,
            seconds=5,
            request={"seed": 2**53 - 2, "prompt": NASTY[0]},
        ),
        line("gone", tmp_path, gone, seconds=50, request={"seed": 20, "model": "other", "prompt": NASTY[3]}),
        line(
            "broken",
            tmp_path,
            status="error",
            request={"seed": 3},
            error={"message": NASTY[1], "hint": "--x"},
        ),
        line("stopped", tmp_path, status="cancelled", request={"seed": 100, "prompt": NASTY[1]}),
        "torn",
    )
    gone.unlink()
    return written(tmp_path, read_history(tmp_path / HISTORY, tmp_path))[0]


def test_the_page_plays_videos_and_says_what_is_missing(shown: Path, browser: Browser) -> None:
    steps = """
    await until(() => $.querySelector("video[data-state=ready]"));
    const video = $.querySelector("video");
    await until(() => video.currentTime > 0);
    return [video.getAttribute("src"), video.videoWidth, video.muted, video.loop,
      video.currentTime > 0, $.title, $.querySelector("[data-task=gone] .note").textContent,
      $.getElementById("skipped").textContent];
    """
    assert browser.ask(shown, steps) == [
        *("b%201%23.mp4", 64, True, True, True, shown.parent.name, "Missing: c.mp4"),
        "1 line of the run history could not be read and was left out.",
    ]


def test_the_page_opens_by_itself_and_shows_markup_as_text(shown: Path, browser: Browser) -> None:
    dumped = browser.dom(shown.as_uri())
    assert len(cards(dumped)) == 4
    assert "&lt;img src=x" in dumped
    assert f"<title>{shown.parent.name}</title>" in dumped


VIEWS = {
    "sort=seed": ["broken", "gone", "stopped", "first"],
    "sort=seed&order=desc": ["first", "stopped", "gone", "broken"],
    "sort=duration": ["gone", "first", "broken", "stopped"],
    "sort=duration&order=asc": ["first", "gone", "broken", "stopped"],
    "sort=name": ["first", "broken", "gone", "stopped"],
    "status=failed": ["broken"],
    "model=other": ["gone"],
    "q=ONERROR": ["stopped", "broken"],
    "q=onerror+circle&status=failed": ["broken"],
    "q=nothing": [],
    "sort=nope&order=nope&status=": ["stopped", "broken", "first", "gone"],
}


def test_the_address_filters_and_sorts(shown: Path, browser: Browser) -> None:
    steps = f"""
    const found = {{}};
    for (const hash of {json.dumps(list(VIEWS))}) {{
      view.location.hash = hash;
      await new Promise((done) => view.addEventListener("hashchange", done, {{ once: true }}));
      found[hash] = [...$.querySelectorAll(".card")].map((card) => card.dataset.task);
    }}
    return found;
    """
    assert browser.ask(shown, steps) == VIEWS
    assert cards(browser.dom(f"{shown.as_uri()}#status=failed&sort=seed")) == ["broken"]


def test_the_page_is_used_by_mouse_and_keyboard(shown: Path, browser: Browser) -> None:
    steps = """
    const ids = () => [...$.querySelectorAll(".card")].map((card) => card.dataset.task);
    const press = (target, key) => target.dispatchEvent(
      new view.KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    const told = {};
    press($.body, "/");
    told.focus = $.activeElement.id;
    $.getElementById("q").value = "onerror";
    $.getElementById("q").dispatchEvent(new view.Event("input"));
    told.found = [ids(), view.location.hash, $.getElementById("count").textContent];
    $.getElementById("q").value = "";
    $.getElementById("q").dispatchEvent(new view.Event("input"));
    const card = $.querySelector("[data-task=first]");
    card.querySelector("details").open = true;
    await until(() => card.querySelector("code"));
    told.command = card.querySelector("code").textContent;
    card.querySelectorAll(".results button")[1].click();
    await until(() => card.querySelector("video[src]"));
    told.second = [card.querySelector("video").getAttribute("src")];
    told.second.push(card.querySelector("a").getAttribute("href"));
    card.querySelector(".view").click();
    const viewer = $.getElementById("viewer");
    told.viewer = [viewer.open, viewer.querySelector("video").getAttribute("src")];
    press(viewer, "ArrowRight");
    told.next = viewer.querySelector("video").getAttribute("src");
    viewer.querySelector(".close").click();
    await until(() => !viewer.querySelector("video"));
    told.closed = [viewer.open, viewer.querySelector("video")];
    return told;
    """
    command = (
        f"wangp generate {quote_for_shell(NASTY[0])} --model tiny --size 64x48 --steps 30 --seed {2**53 - 2}"
    )
    assert browser.ask(shown, steps) == {
        "focus": "q",
        "found": [["stopped", "broken"], "#q=onerror", "2 of 4 tasks"],
        "command": command,
        "second": ["b%202.mp4", "b%202.mp4"],
        "viewer": [True, "b%202.mp4"],
        "next": "b%201%23.mp4",
        "closed": [False, None],
    }


@pytest.mark.slow
def test_ten_thousand_tasks_are_drawn_as_they_are_reached(tmp_path: Path, browser: Browser) -> None:
    lines = [line(f"t{i}", tmp_path, seconds=i, request={"seed": i}) for i in range(10_000)]
    path, _, _ = written(tmp_path, history(tmp_path, *lines))
    steps = """
    const ids = () => [...$.querySelectorAll(".card")].map((card) => card.dataset.task);
    const first = ids();
    view.scrollTo(0, 1e9);
    await until(() => ids().length > first.length);
    const more = ids();
    view.location.hash = "q=t4711";
    await until(() => ids().length < 2);
    return [first.length, first[0], more.length > first.length, ids()];
    """
    count, first, more, found = browser.ask(path, steps, "#sort=seed&order=desc")
    assert 48 <= count <= 500
    assert (first, more, found) == ("t9999", True, ["t4711"])
