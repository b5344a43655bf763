"""A harness for a coverage-guided fuzzer: ``pip install atheris``, then ``python -m tests.fuzz.fuzz_protocol corpus/``.

The first byte says what the others are: one frame, whose length prefix is put in front, or the stream itself, in two
pieces. An empty corpus directory is filled with frames that a server sends. What raises, or logs a failure, is a
finding; it becomes a row of `FINDINGS` in test_findings.py.
"""

import sys
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["tickrelay"]):
    from twisted.logger import globalLogPublisher

    from tests.fuzz import test_random_frames as targets
    from tests.support.frames import length_prefixed

logged: list[Any] = []
globalLogPublisher.addObserver(lambda event: logged.append(event) if "log_failure" in event else None)
target = targets.Target()


def one_input(data: bytes) -> None:
    """One run of the fuzzer."""
    if not data:
        return
    kind, rest = data[0], data[1:]
    if target.link._pieces:  # it waits for the rest of a frame: the next input is another connection's
        target.reconnect()
    if kind & 1:
        target.feed(length_prefixed(rest))
    else:
        cut = kind * len(rest) // 256
        target.feed(rest[:cut])
        target.feed(rest[cut:])
    if logged:
        raise RuntimeError(logged[0]["log_failure"].getTraceback())


if __name__ == "__main__":
    corpus = next((Path(word) for word in sys.argv[1:] if not word.startswith("-")), None)
    if corpus is not None and corpus.is_dir() and not any(corpus.iterdir()):
        for number, frame in enumerate(targets.real_frames()):
            (corpus / f"real-{number}").write_bytes(b"\x01" + frame)
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
