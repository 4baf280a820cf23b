"""What tests of several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from fsm.cli import main


@pytest.fixture
def wfp(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run `wfp-udp` with these words in this process: (exit status, standard output, standard error)."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["wfp-udp", *words])
        with pytest.raises(SystemExit) as left:
            main()
            raise SystemExit(0)
        out = capsys.readouterr()
        status = left.value.code
        return (status if isinstance(status, int) else 0 if status is None else 1), out.out, out.err

    return run
