"""Generate ``docs/asyncapi.json``: the client protocol for machines, from the types that parse and encode it.

``python tools/gen_asyncapi.py`` rewrites it, ``--check`` only says whether it differs (exit status 1 if it does).
"""

import argparse
import ast
import copy
import inspect
import json
import pathlib
import sys
import textwrap
from typing import Any, get_args

import msgspec

from tickrelay.wire import messages, parts, requests

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "asyncapi.json"
SCHEMAS = "#/components/schemas/"

SAID: tuple[type[messages.Message], ...] = (messages.TickMessage, *get_args(messages.AnyMessage))
ASKED = requests.ALL
BASIC_FIELDS: dict[type[msgspec.Struct], tuple[str, ...]] = {
    requests.Connect: ("protocol", "token"),
    requests.Subscribe: ("symbols",),
    requests.Unsubscribe: ("symbols",),
    requests.Ping: (),
    requests.GetSubscriptions: (),
    parts.Result: parts.Result.basic,
    **{kind: kind.basic for kind in SAID if kind.basic},
}


def field_notes(struct: type[msgspec.Struct]) -> dict[str, str]:
    """The docstrings under a struct's fields, by the fields' names in JSON."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(struct))).body
    assert isinstance(body, ast.ClassDef)
    names = dict(zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True))
    notes = {}
    for field, note in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(note, ast.Expr):
            assert isinstance(note.value, ast.Constant)
            notes[names[field.target.id]] = " ".join(str(note.value.value).split())
    return notes


def schemas() -> dict[str, Any]:
    """The JSON Schemas of all messages of v1 and of their parts."""
    _, components = msgspec.json.schema_components((*ASKED, *SAID), ref_template=SCHEMAS + "{name}")
    for module in (requests, messages):
        for name, struct in vars(module).items():
            if name in components and isinstance(struct, type) and issubclass(struct, msgspec.Struct):
                for field, note in field_notes(struct).items():
                    components[name]["properties"][field].setdefault("description", note)
    return components


def plain_numbers(schema: Any) -> Any:
    """An integer or a number is a number."""
    if isinstance(schema, list):
        return [plain_numbers(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: plain_numbers(value) for key, value in schema.items()}
    if found.get("anyOf") == [{"type": "integer"}, {"type": "number"}]:
        del found["anyOf"]
        found = {"type": "number", **found}
    return found


def basic_schemas(components: dict[str, Any]) -> dict[str, Any]:
    """The same without what basic clients do not know."""
    found = {}
    for struct, fields in BASIC_FIELDS.items():
        names = dict(zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True))
        kept = {"type", *(names[field] for field in fields)}
        schema = copy.deepcopy(components[struct.__name__])
        schema["properties"] = {name: value for name, value in schema["properties"].items() if name in kept}
        schema["required"] = [name for name in schema["required"] if name in kept]
        text = json.dumps(schema).replace(SCHEMAS + "Result", SCHEMAS + "BasicResult")
        found["Basic" + struct.__name__] = json.loads(text)
    return found


def message(struct: type[msgspec.Struct], prefix: str) -> dict[str, Any]:
    """One message of AsyncAPI."""
    about = inspect.getdoc(struct) or ""
    return {
        "name": str(struct.__struct_config__.tag),
        "summary": about.split("\n\n")[0],
        "contentType": "application/json",
        "payload": {"$ref": SCHEMAS + prefix + struct.__name__},
    }


def document() -> dict[str, Any]:
    """The whole document."""
    components = plain_numbers(schemas())
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    every_message: dict[str, Any] = {}
    faces = (("basic", "Basic", "JSON text frames, no subprotocol."), ("v1", "", "Subprotocol tickrelay.v1.json."))
    for face, prefix, about in faces:
        asked = [kind for kind in ASKED if not prefix or kind in BASIC_FIELDS]
        said = [kind for kind in SAID if not prefix or kind.basic]
        references = {}
        for kind in (*asked, *said):
            key = face + kind.__name__
            every_message[key] = message(kind, prefix)
            references[key] = {"$ref": f"#/components/messages/{key}"}
        channels[face] = {"address": "/", "description": about, "messages": references}
        for action, name, kinds in (("receive", "ask", asked), ("send", "tell", said)):
            operations[f"{face}-{name}"] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{face}"},
                "messages": [{"$ref": f"#/channels/{face}/messages/{face}{kind.__name__}"} for kind in kinds],
            }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "tickrelay client protocol",
            "version": "1",
            "description": "What clients and the relay say to each other over WebSocket, seen from the relay: it "
            "receives what clients ask and sends what it tells. docs/protocol.rst is the same for people. The "
            "subprotocol tickrelay.v1.protobuf has the messages of v1 in binary frames (proto/tickrelay.proto).",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": every_message, "schemas": {**components, **basic_schemas(components)}},
    }


def text() -> str:
    """The document as it is committed."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with what is committed, write nothing")
    if not parser.parse_args().check:
        TARGET.write_text(text(), encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text():
        return 0
    print("docs/asyncapi.json differs from the types: run python tools/gen_asyncapi.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
