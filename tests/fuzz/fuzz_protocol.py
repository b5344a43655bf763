"""A harness for a coverage-guided fuzzer: ``pip install atheris``, then ``python tests/fuzz/fuzz_protocol.py corpus/``.

Any bytes arrive at the session's protocol, cut in two where their first byte says. What raises, or logs a failure, is
a finding; it becomes a row of `FINDINGS` in test_findings.py.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["tickrelay"]):
    from twisted.logger import globalLogPublisher

    spec = importlib.util.spec_from_file_location("targets", Path(__file__).parent / "test_random_frames.py")
    assert spec is not None and spec.loader is not None
    targets: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(targets)

logged: list[Any] = []
globalLogPublisher.addObserver(lambda event: logged.append(event) if "log_failure" in event else None)
target = targets.Target()


def one_input(data: bytes) -> None:
    """One run of the fuzzer."""
    if not data:
        return
    cut = data[0] * len(data) // 256
    target.feed(data[1 : 1 + cut])
    target.feed(data[1 + cut :])
    if logged:
        raise RuntimeError(logged[0]["log_failure"].getTraceback())


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
