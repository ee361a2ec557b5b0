"""Imports when they are needed."""

from __future__ import annotations

import gc
import signal
import sys
import weakref
from pathlib import Path

import pytest

from wangp_cli.errors import Cancelled
from wangp_cli.imports import import_object


def test_an_object_is_imported_by_its_place() -> None:
    assert import_object("wangp_cli.imports:import_object") is import_object
    with pytest.raises(AttributeError):
        import_object("wangp_cli.imports:nothing")
    assert gc.isenabled()


@pytest.mark.parametrize("enabled", [True, False])
def test_no_garbage_is_collected_during_an_import(
    enabled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "asks_gc.py").write_text("import gc\nduring = gc.isenabled()\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "asks_gc", raising=False)
    if not enabled:
        gc.disable()
    try:
        assert import_object("asks_gc:during") is False
        assert gc.isenabled() is enabled
    finally:
        gc.enable()


def test_what_was_made_before_an_import_can_be_freed_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Model:
        """A network, which its hooks refer to."""

        own: Model

    (tmp_path / "is_new.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    model = Model()
    model.own = model
    alive = weakref.ref(model)
    for place in ("is_new:value", "is_new:value"):
        assert import_object(place) == 1
    del model
    gc.collect()
    assert alive() is None


def test_a_signal_stops_an_import_after_its_handler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "is_stopped.py").write_text(
        "import os, signal\n"
        "try:\n    os.kill(os.getpid(), signal.SIGTERM)\nexcept Exception:\n    pass\n"
        "raise AssertionError('went on')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    seen: list[int] = []

    def once(number: int, _frame: object) -> None:
        seen.append(number)
        signal.signal(number, signal.SIG_DFL)

    before = signal.signal(signal.SIGTERM, once)
    try:
        with pytest.raises(Cancelled):
            import_object("is_stopped:name")
        assert seen == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        signal.signal(signal.SIGTERM, once)
        assert import_object("math:pi") > 3
        assert signal.getsignal(signal.SIGTERM) is once
    finally:
        signal.signal(signal.SIGTERM, before)
