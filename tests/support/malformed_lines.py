"""More than two hundred malformed task lines, each with its fault and its error."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

FUZZED = 40
GOOD: dict[str, Any] = {
    "model": "starter",
    "prompt": "a red circle",
    "frames": 1,
    "size": "64x64",
    "steps": 1,
}
ESCAPE = "\x1b[2J\x1b[31m"


@dataclass(frozen=True)
class Bad:
    """A malformed line.

    Args:
        text: the line, without its end.
        reason: a part of the message that refuses it, in lower case.
        stage: `read` if the text alone shows it; `settle` if values, paths or limits have to be looked at.
    """

    text: bytes
    reason: str
    stage: Literal["read", "settle"] = "read"


def malformed() -> list[Bad]:
    """The lines; the same ones every time."""
    found = [*_broken(), *_not_objects(), *_keys(), *_older(), *_values(), *_places(), *_media()]
    cut = {bad.text: bad for bad in itertools.islice(_fuzzed(random.Random(20)), 3 * FUZZED)}
    return [*found, *list(cut.values())[:FUZZED]]


def _line(**changes: Any) -> bytes:
    return json.dumps(GOOD | changes).encode()


def _with(raw: str) -> bytes:
    """A good line with a member that `json.dumps` would not write."""
    return json.dumps(GOOD)[:-1].encode() + b", " + raw.encode() + b"}"


def _broken() -> Iterator[Bad]:
    for text in (
        "{",
        "}",
        '{"prompt"',
        '{"prompt": }',
        "{'prompt': 'a'}",
        '{"a": 1,}',
        '{"a": 1} {"b": 2}',
        "{]",
    ):
        yield Bad(text.encode(), "not json")
    for text in (
        "prompt: a circle",
        "a red circle",
        "undefined",
        "// a comment",
        '{"a": 01}',
        '{"a": +1}',
        "=1+1",
    ):
        yield Bad(text.encode(), "not json")
    yield Bad(_line()[:-5] + b"\xff\xfe" + _line()[-5:], "not utf-8")
    yield Bad(b"\xff\xfe" + _line().decode().encode("utf-16-le").replace(b"\n", b""), "not utf-8")
    yield Bad(b'{"prompt": "\xed\xa0\x80"}', "not utf-8")
    yield Bad(b'{"prompt": "a\tb\x01"}', "not json")
    yield Bad(b'{"prompt": "\x1b[31m"}', "not json")
    yield Bad(b"\x00\x00\x00\x00", "not json")
    yield Bad(b"\x89PNG", "not utf-8")
    for name in ("NaN", "Infinity", "-Infinity"):
        yield Bad(_with(f'"guidance_scale": {name}'), "is not a json number")
        yield Bad(_with(f'"extra": [{name}]'), "is not a json number")
    yield Bad(_with('"guidance_scale": 1e999'), "too large")
    yield Bad(_with('"flow_shift": -1e400'), "too large")
    yield Bad(_with(f'"seed": {"9" * 5000}'), "digits is too large")
    yield Bad(_with(f'"steps": -{"1" * 41}'), "digits is too large")
    yield Bad(_with('"prompt": "twice"'), "appears twice")
    yield Bad(_with('"a": {"b": 1, "b": 2}'), "appears twice")
    yield Bad(_with('"\\u0070rompt": "twice"'), "appears twice")
    yield Bad(_line(prompt="half \ud800 pair"), "half a surrogate pair")
    yield Bad(_line(negative_prompt="\udfff"), "half a surrogate pair")
    yield Bad(_with('"\\ud834": 1'), "half a surrogate pair")
    yield Bad(_line(prompt="nul \0 here"), "nul character")
    yield Bad(_line(image_refs=["a\0b.png"]), "nul character")
    yield Bad(_with('"a\\u0000": 1'), "nul character")
    yield Bad(b"[" * 200_000, "nested too deeply")
    yield Bad(b'{"prompt": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nested too deeply")
    yield Bad(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply")
    yield Bad(_with('"a": ' + "[" * 65 + "]" * 65), "nested too deeply")
    yield Bad(_line(prompt="x" * (1 << 20)), "longer than")
    yield Bad(b" " + b"y" * (2 << 20), "longer than")


def _not_objects() -> Iterator[Bad]:
    for text in (
        "null",
        "true",
        "1",
        "-0.5",
        '"prompt"',
        "[]",
        "[1, 2]",
        '["prompt", "a"]',
        '[{"prompt": "a"}]',
    ):
        yield Bad(text.encode(), "an object with the keys of a task is wanted")


def _keys() -> Iterator[Bad]:
    for key in (
        "promt",
        "negativ_prompt",
        "guidance",
        "__class__",
        "Prompt",
        "",
        " prompt",
        "--prompt",
        ESCAPE,
        "é" * 300,
    ):
        yield Bad(_line(**{key: "a"}), "there is no such key")
    yield Bad(_line(tasks=[]), "there is no such key")
    yield Bad(_line(settings={"prompt": "b"}), "there is no such key")
    for kind in ("nope", "", "generate ", ESCAPE, 7, None, ["generate"], {"a": 1}):
        if kind is not None:
            yield Bad(_line(type=kind), "there is no task")
    names: tuple[Any, ...] = (
        "",
        " ",
        "../x",
        "a/b",
        "a b",
        ".hidden",
        "-x",
        "a\nb",
        ESCAPE,
        "x" * 129,
        "ä",
        5,
        True,
        [],
        {"a": 1},
    )
    for name in names:
        yield Bad(_line(task_id=name), "is not made of letters")


def _older() -> Iterator[Bad]:
    for kind in ("qwen_image_edit", "magic_edit", "comfy"):
        yield Bad(_line(task_type=kind), "not served")
    yield Bad(_line(task_type="travel_orchestrator", use_svi="yes"), "use_svi: 'yes'")
    yield Bad(_line(frames=None, task_type="join_clips_segment"), "starting_video_path: none")
    yield Bad(_line(use_causvid_lora="yes"), "is neither true nor false")
    yield Bad(_line(use_causvid_lora=True, use_lighti2x_lora=True), "is 'causvid' already")
    yield Bad(_line(apg_switch=4), "is not served")
    yield Bad(_line(frames_positions="1 L"), "is not served")
    yield Bad(_line(video_prompt_type="BV", video_guide="a.mp4"), "finding faces")
    yield Bad(_line(video_prompt_type="V"), "which is not named")
    yield Bad(_line(image_prompt_type="S"), "which is not named")
    yield Bad(_line(image_prompt_type=7), "is no letter code")
    yield Bad(_line(activated_loras=["a"], loras_multipliers="1:0"), "is no strength")
    yield Bad(_line(activated_loras=7), "is no list")
    yield Bad(_line(multi_prompts_gen_type="Q"), "is not one of")
    yield Bad(_line(multi_prompts_gen_type="G", prompt='! {A}="x"\n{B}'), "is not declared")
    yield Bad(_line(resolution="128x128"), "says '64x64'")
    yield Bad(_line(image_start=["a.png", "b.png"]), "a task takes one")


def _values() -> Iterator[Bad]:
    wrong: dict[str, list[Any]] = {
        "prompt": [7, ["a"], {"a": 1}, True, "", " \n ", "x" * 40_000],
        "steps": ["many", 0, -1, 501, 1.5, [], 10**30],
        "seed": ["x", -2, 2**53, 0.5, {}],
        "guidance_scale": ["high", -1, 101, []],
        "flow_shift": [0, -3, "x"],
        "frames": [0, -5, 10_001, "", "five", "5 minutes", [], 2.5],
        "size": ["big", "0x0", "99999x16", "832", 832, "832x", [832, 480], "-64x64"],
        "fps": [0, 241, "fast", [], "1/0"],
        "sampler": ["magic", 7],
        "count": [0, 1001, "two"],
        "model": ["", 7, "no_such_model", "x" * 200, ESCAPE],
        "codec": ["gif", 1],
        "crf": [-1, 64, "low"],
        "metadata_mode": ["hidden"],
        "device": ["toaster", "cuda:x"],
        "overwrite": ["maybe", 7],
    }
    for field, values in wrong.items():
        for value in values:
            yield Bad(_line(**{field: value}), field, "settle")


def _places() -> Iterator[Bad]:
    outside = [
        "/tmp/out.png",
        "../out.png",
        "a/../../out.png",
        "~/out.png",
        "~root/x.png",
        "C:\\out.png",
        "\\\\host\\x.png",
    ]
    odd = [
        "a\nb.png",
        "con.png",
        "a./b.png",
        "x" * 201 + ".png",
        "a\u202eb.png",
        ".ssh/x.png",
        f"{ESCAPE}.png",
    ]
    for name in outside + odd:
        yield Bad(_line(output=name), "output", "settle")
    folders: tuple[Any, ...] = ("/", "/tmp", "..", "a/..", "~", "nul", "a /b", 7)
    for folder in folders:
        yield Bad(_line(output_dir=folder), "output_dir", "settle")
    for name in ("../{seed}", "a/b", "{prompt.__class__}", "{0}", "x" * 201, "\x07", "aux"):
        yield Bad(_line(name=name), "name", "settle")


def _media() -> Iterator[Bad]:
    for address in (
        "https://example.org/a.png",
        "http://127.0.0.1/a.png",
        "file:///etc/passwd",
        "data:image/png;base64,AA",
    ):
        yield Bad(_line(image_start=address), "is an address", "settle")
    for path in ("/etc/passwd", "../../../../etc/passwd", "~/x.png", "/proc/self/environ"):
        yield Bad(_line(image_start=path), "outside the folders", "settle")
    yield Bad(_line(image_start="a.mp4|start_frame=3"), "a part of a file")
    yield Bad(_line(image_start=7), "image_start", "settle")
    yield Bad(_line(image_start="no-such-picture.png"), "image_start", "settle")
    yield Bad(_line(image_end="https://example.org/a.png"), "is an address", "settle")
    yield Bad(_line(loras=["../../a.safetensors"]), "outside the folders", "settle")
    yield Bad(_line(loras=["a.safetensors@strong"]), "loras", "settle")


def _fuzzed(chance: random.Random) -> Iterator[Bad]:
    """Good lines that were cut, or lost a byte that holds them together."""
    good = _line()
    marks = [at for at, byte in enumerate(good) if byte in b'{}":']
    while True:
        if chance.random() < 0.5:
            yield Bad(good[: chance.randrange(1, len(good))], "not json")
        else:
            at = chance.choice(marks)
            yield Bad(good[:at] + good[at + 1 :], "not json")
