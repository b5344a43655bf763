"""JSON over plain TCP (with TLS): one object after the other, or each behind a 4-byte length.

The Open API documentation does not say which of the two. A client that begins with a length is answered with lengths,
any other with one object a line.
"""

import struct
from codecs import getincrementaldecoder
from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime

from tickrelay.simulator.framing.json_codec import Malformed, frame_of, text_of
from tickrelay.simulator.framing.protocol import OpenSession, SimulatorProtocol

_WAIT_BYTES = 1_048_576
"""The most characters of an incomplete object that are buffered."""


class Objects:
    """Cuts a stream of text into its outermost JSON objects."""

    def __init__(self) -> None:
        self._text = ""
        self._at = 0
        self._depth = 0
        self._quoted = False
        self._escaped = False

    def feed(self, text: str) -> list[str]:
        """The objects that are complete now. Raises Malformed where something else begins, or one is too long."""
        self._text += text
        found = []
        begin = 0
        for position in range(self._at, len(self._text)):
            character = self._text[position]
            if self._escaped:
                self._escaped = False
            elif self._quoted:
                self._escaped = character == "\\"
                self._quoted = character != '"'
            elif character == '"':
                self._quoted = True
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
                if self._depth <= 0:
                    found.append(self._text[begin : position + 1].strip())
                    begin, self._depth = position + 1, 0
        self._text = self._text[begin:].lstrip() if not self._depth else self._text[begin:]
        self._at = len(self._text)
        if self._text and not self._text.lstrip().startswith("{"):
            raise Malformed("Malformed JSON message at 1:1")
        if len(self._text) > _WAIT_BYTES:
            raise Malformed("Malformed JSON message: too long")
        return found


class JsonProtocol(SimulatorProtocol):
    """One client that speaks JSON over TCP."""

    def __init__(self, open_session: OpenSession, clock: IReactorTime) -> None:
        super().__init__(open_session, clock)
        self._objects: Objects | None = None
        self._begun = False
        self._decoder = getincrementaldecoder("utf-8")("replace")

    def dataReceived(self, data: bytes) -> None:
        """Cut bytes into objects; the first byte decides the framing: zero begins a length."""
        if self.session.ended:
            return
        if not self._begun and data:
            self._begun = True
            if data[:1] != b"\0":
                self._objects = Objects()
        if self._objects is None:
            super().dataReceived(data)
            return
        try:
            for text in self._objects.feed(self._decoder.decode(data)):
                self.session.received(frame_of(text))
        except Malformed as e:
            self.session.refuse_malformed(str(e))

    def stringReceived(self, string: bytes) -> None:
        """An object behind its length."""
        try:
            self.session.received(frame_of(string.decode("utf-8", "replace")))
        except Malformed as e:
            self.session.refuse_malformed(str(e))

    def send(self, batch: Sequence[bytes]) -> None:
        """Send frames, each as an object."""
        texts = [text_of(frame).encode() for frame in batch]
        if self._objects is None and self._begun:
            self.write_raw(b"".join(struct.pack("!I", len(text)) + text for text in texts))
        else:
            self.write_raw(b"".join(text + b"\n" for text in texts))
