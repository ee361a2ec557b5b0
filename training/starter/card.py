"""The card of a starter checkpoint: its vocabulary, sampling settings and measured figures."""

from __future__ import annotations

import argparse
import datetime
import json
from pathlib import Path
from typing import Any

from training.starter.evaluate import BARS, CHANCE, Settings
from training.starter.given import USES
from training.starter.world import COLOURS, MOTIONS, SHAPES, SIZE_WORDS

FRAMES_PER_SECOND = 8
_MIN_VAE_DB, _MAX_LOSS_DB, _MAX_SECONDS = 28.0, 1.5, 4.0


def write_card(folder: Path, settings: Settings, figures: dict[str, Any], compute: str) -> None:
    """Write `card.json` into the folder of the checkpoint.

    Args:
        figures: result of `evaluate.evaluate`.
        compute: a sentence on the machine and the time.
    """
    card = {
        "world": {
            "shapes": list(SHAPES),
            "colours": list(COLOURS),
            "motions": list(MOTIONS),
            "sizes": sorted({word for words in SIZE_WORDS.values() for word in words if word}),
        },
        "frames": settings.frames,
        "size": f"{settings.side}x{settings.side}",
        "fps": FRAMES_PER_SECOND,
        "sampler": settings.sampler,
        "steps": settings.steps,
        "guidance_scale": settings.guidance_scale,
        "guide_given": settings.guide_given,
        "flow_shift": settings.flow_shift,
        "max_sequence_length": settings.max_sequence_length,
        "negative_prompt": "",
        "figures": card_figures(figures),
        "compute": compute,
        "date": datetime.date.today().isoformat(),
    }
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n")


def card_figures(figures: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each figure with its limit (`bar`), its unit and, if it has one, its chance level."""
    text = figures["text"]
    result: dict[str, dict[str, Any]] = {
        name: {"value": text[name], "bar": bar, "chance": round(CHANCE[name], 1), "unit": "% of prompts"}
        for name, bar in BARS.items()
    }
    result["all four"] = {"value": text["all four"], "unit": "% of prompts"}
    result["vae"] = {
        "value": round(figures["vae"], 2),
        "bar": _MIN_VAE_DB,
        "unit": "dB, round trip of unseen clips",
    }
    for use in USES:
        loss = round(figures[use]["loss"], 2)
        result[use] = {"value": loss, "bar": _MAX_LOSS_DB, "unit": "dB lost on given pixels, at most the bar"}
    result["seconds"] = {
        "value": round(text["seconds"], 2),
        "bar": _MAX_SECONDS,
        "unit": "s a call, at most the bar",
    }
    return result


def main() -> None:
    """Write the card of a checkpoint from the JSON file that `evaluate --out` made."""
    parser = argparse.ArgumentParser(description="Write card.json of a starter checkpoint.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("figures", type=Path)
    parser.add_argument("--compute", required=True, help="A sentence on the machine and the time.")
    options = parser.parse_args()
    figures = json.loads(options.figures.read_text())
    write_card(options.folder, Settings(**figures["settings"]), figures, options.compute)


if __name__ == "__main__":
    main()
