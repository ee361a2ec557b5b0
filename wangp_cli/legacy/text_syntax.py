"""Parse the syntax of WanGP's texts: LoRA multipliers, and prompts with comments and macros."""

from __future__ import annotations

import re
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.tasks.lora_strength import Strength, with_points

PROMPT_MODES = {"0": "G", "1": "W", "2": "FG", "P": "PG", "": "PG"}
"""Mode by old code of `multi_prompts_gen_type`."""
WINDOW_MODES = ("W", "PW")
"""Modes whose prompts are for the windows of one video."""
MAX_PROMPTS = 1000
_ENHANCED = re.compile(r"!enhanced!\r?\n")
"""The mark at the start of a prompt that WanGP's enhancer wrote."""
_ORIGINAL = "#!PROMPT!:"
"""The start of a comment line that keeps the prompt which the enhancer was given."""
_VALUE = re.compile(r'\s*"([^"]*)"\s*(,|$)')


def strengths(text: Any, count: int, *, commas: bool = False) -> list[str]:
    """One strength for each of `count` LoRAs; missing ones are 1, surplus ones are dropped.

    Args:
        text: as `split_strengths` takes it.
        count: number of LoRAs.
        commas: as in `split_strengths`.

    Raises:
        RequestError: a strength cannot be parsed.
    """
    given = split_strengths(text, commas=commas)[:count]
    return [_strength(token) for token in given] + ["1"] * (count - len(given))


def split_strengths(text: Any, *, commas: bool = False) -> list[str]:
    """The strengths in a text, one for each LoRA.

    Args:
        text: a list, or strengths separated by spaces, newlines or `|`; lines that start with `#` are
            comments.
        commas: whether commas separate LoRAs too, as in the older worker; in WanGP they separate steps.
    """
    if isinstance(text, str):
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        tokens = re.split(r"[\s|,]+" if commas else r"[\s|]+", " ".join(lines).strip())
    elif isinstance(text, list | tuple):
        tokens = [str(item) for item in text]
    else:
        tokens = [str(text)]
    return [token for token in tokens if token]


def _strength(token: str) -> str:
    try:
        Strength.parse(token)
    except ValueError:
        raise RequestError(
            "lora_multipliers", f"{token[:40]!r} is no strength, such as 0.8, 1;0.5 or 0.9,0.5"
        ) from None
    return with_points(token)


def without_strength(lora: str) -> str:
    """A LoRA without its `@strength`."""
    return re.sub(r"@[^@/]*$", "", lora)


def is_enhanced(text: Any) -> bool:
    """Whether a prompt has WanGP's mark that its enhancer wrote it."""
    return isinstance(text, str) and bool(_ENHANCED.match(text) or text.startswith(_ORIGINAL))


def prompts(text: str, mode: Any) -> list[str]:
    """Split a text into prompts, by the rules of WanGP.

    Args:
        text: may begin with the mark of an enhanced prompt, and contain macros and comment lines, which start
            with `#`.
        mode: G is one prompt per line, PG one per paragraph, W and PW the same for windows, FG one prompt.

    Returns:
        the prompts; a single empty one where the text has none.

    Raises:
        RequestError: a macro is invalid, the mode is unknown, or a prompt of a window contains commands.
    """
    mode = PROMPT_MODES.get(str(mode), str(mode))
    if mode not in ("G", "PG", "W", "PW", "FG"):
        raise RequestError("multi_prompts_gen_type", f"{mode[:40]!r} is not one of G, PG, W, PW, FG")
    if mark := _ENHANCED.match(text):
        text = text[mark.end() :]
    lines = re.split(r"\r\n?|\n", text)
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    units = [unit for whole in expand_macros(text) for unit in _units(whole, mode)]
    if mode in WINDOW_MODES and any("[/" in unit for unit in units):
        raise RequestError("prompt", "commands to windows, such as [/duration=5s], are not served")
    if len(units) > MAX_PROMPTS:
        raise RequestError("prompt", f"holds {len(units)} prompts, at most {MAX_PROMPTS} are read")
    return units or [""]


def _units(text: str, mode: str) -> list[str]:
    if mode == "FG":
        units = [text]
    elif mode in ("G", "W"):
        units = text.split("\n")
    else:
        units = re.split(r"\n\s*\n", text)
    return [unit.strip() for unit in units if unit.strip()]


def expand_macros(text: str) -> list[str]:
    """Expand macros: each `! {Name}="a","b"` line repeats the lines after it for each value.

    Shorter lists of values are repeated; every macro line starts a new template.

    Raises:
        RequestError: a macro line cannot be parsed, or a variable is not declared.
    """
    lines = text.split("\n")
    if not any(line.lstrip().startswith("!") for line in lines):
        return [text]
    texts: list[str] = []
    variables: dict[str, list[str]] = {}
    template: list[str] = []
    for line in lines:
        if line.lstrip().startswith("!"):
            texts += _filled(template, variables)
            variables, template = _macro(line.strip()[1:]), []
        else:
            template.append(line)
    return texts + _filled(template, variables)


def _macro(line: str) -> dict[str, list[str]]:
    variables: dict[str, list[str]] = {}
    for part in re.split(r":(?=\s*\{)", line):
        match = re.fullmatch(r"\s*\{([^{}]+)\}\s*=(.+)", part)
        if not match:
            raise RequestError("prompt", f'macro {part.strip()[:60]!r} is not {{Name}}="a","b"')
        values, rest = [], match[2]
        while rest:
            if not (value := _VALUE.match(rest)):
                raise RequestError("prompt", f"macro {part.strip()[:60]!r} has a value without quotes")
            values.append(value[1])
            rest = rest[value.end() :]
        variables[match[1].strip()] = values
    return variables


def _filled(template: list[str], variables: dict[str, list[str]]) -> list[str]:
    text = "\n".join(template)
    if not text.strip():
        return []
    if not variables:
        return [text]

    def value(match: re.Match[str], index: int) -> str:
        name = match[1].strip()
        if name not in variables:
            raise RequestError("prompt", f"macro variable {name[:40]!r} is not declared")
        return variables[name][index % len(variables[name])]

    longest = min(max(len(values) for values in variables.values()), MAX_PROMPTS + 1)
    return [re.sub(r"\{([^{}]*)\}", lambda m, i=index: value(m, i), text) for index in range(longest)]  # type: ignore[misc]
