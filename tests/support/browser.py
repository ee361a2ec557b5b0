"""A real headless Chromium, asked for the page it made of a file."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# The document that stays open holds back the load event, and with it the dump, until the answer is there:
# in virtual time videos would not decode.
DRIVER = """<!DOCTYPE html><meta charset="utf-8"><iframe id="page" style="width:1200px;height:900px"></iframe>
<iframe id="hold"></iframe><pre id="answer"></pre><script>
const page = document.getElementById("page"), hold = document.getElementById("hold").contentDocument;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const until = async (holds) => { for (let i = 0; i < 1000 && !holds(); i++) await wait(10); };
hold.open();
page.addEventListener("load", async () => {
  const { document: $, window: view } = { document: page.contentDocument, window: page.contentWindow };
  let answer;
  try { answer = await (async () => { STEPS })(); } catch (error) { answer = String(error); }
  document.getElementById("answer").textContent = JSON.stringify(answer);
  hold.close();
}, { once: true });
page.src = ADDRESS;
</script>"""


@dataclass(frozen=True)
class Browser:
    """Chromium in an empty profile."""

    program: str
    profile: Path

    def dom(self, address: str, *flags: str) -> str:
        """The document as it is after loading; fails if the page complained."""
        command = [
            *(self.program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *(f"--user-data-dir={self.profile}", "--window-size=1200,900", "--enable-logging=stderr"),
            *(*flags, "--dump-dom", address),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        assert complaints == []
        return done.stdout

    def ask(self, page: Path, steps: str, at: str = "") -> Any:
        """What `steps` returns beside the page: the body of an async function; `$` is the page's document."""
        driver = page.with_name("driver.html")
        address = json.dumps(page.as_uri() + at)
        driver.write_text(DRIVER.replace("ADDRESS", address).replace("STEPS", steps), encoding="utf-8")
        dumped = self.dom(driver.as_uri(), "--allow-file-access-from-files")
        answer = re.search(r'<pre id="answer">(.*?)</pre>', dumped, re.DOTALL)
        assert answer, dumped[-2000:]
        return json.loads(html.unescape(answer[1]))


@pytest.fixture
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """A browser; where there is none the test is skipped, but on CI it fails."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no chromium: install the packages in .ci/packages")
        pytest.skip("no chromium on this machine")
    return Browser(program, tmp_path_factory.mktemp("profile"))
