"""The AsyncAPI document: equal to the types, whole, and true of every vector."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = json.loads((ROOT / "docs" / "asyncapi.json").read_text(encoding="utf-8"))
VECTORS = ROOT / "tests" / "vectors"


def vectors(name: str) -> list[dict[str, Any]]:
    """A file of vectors."""
    found: list[dict[str, Any]] = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    return found


def test_the_document_is_what_the_types_say() -> None:
    """A change of a type without a new document fails here."""
    spec = importlib.util.spec_from_file_location("gen_asyncapi", ROOT / "tools" / "gen_asyncapi.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.text() == (ROOT / "docs" / "asyncapi.json").read_text(encoding="utf-8")


def resolve(reference: str) -> dict[str, Any]:
    """What a $ref points to."""
    found = DOCUMENT
    for key in reference.removeprefix("#/").split("/"):
        found = found[key]
    return found


def test_every_reference_resolves() -> None:
    """No message, channel or schema is named that is not there."""
    seen = 0

    def walk(value: Any) -> None:
        nonlocal seen
        if isinstance(value, dict):
            if "$ref" in value:
                resolve(value["$ref"])
                seen += 1
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(DOCUMENT)
    assert seen > 100


KINDS = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}


def valid(value: Any, schema: dict[str, Any]) -> bool:
    """Does the value fit the schema? As much of JSON Schema as the document uses."""
    if "$ref" in schema:
        return valid(value, resolve(schema["$ref"]))
    if "anyOf" in schema:
        return any(valid(value, one) for one in schema["anyOf"])
    if "enum" in schema and value not in schema["enum"]:
        return False
    kind = schema.get("type")
    if kind and (not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return False
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        fits = all(
            valid(item, known[key]) if key in known else others is None or valid(item, others)
            for key, item in value.items()
        )
        return fits and set(schema.get("required", ())) <= set(value)
    if isinstance(value, list):
        return len(value) <= schema.get("maxItems", 1e9) and all(valid(item, schema["items"]) for item in value)
    if isinstance(value, str):
        return schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 1e9)
    return bool(schema.get("minimum", -1e99) <= value <= schema.get("maximum", 1e99))


def fits(face: str, text: str) -> bool:
    """Does a message fit the schema of its type, and has it no field besides?"""
    value = json.loads(text)
    for key in DOCUMENT["channels"][face]["messages"]:
        message = DOCUMENT["components"]["messages"][key]
        if message["name"] == value["type"]:
            schema = resolve(message["payload"]["$ref"])
            return valid(value, schema) and set(value) <= set(schema["properties"])
    return False


EXAMPLES = [
    *(("v1", vector["json"]) for name in ("messages.json", "requests.json") for vector in vectors(name)),
    *(("v1", vector[f"v1.json {way}"]) for vector in vectors("ticks.json") for way in ("tick", "newest", "snapshot")),
    *(("basic", vector["basic"]) for vector in vectors("ticks.json")),
    *(
        (talk["protocol"], line[2:])
        for talk in vectors("conversations.json")
        for line in talk["lines"]
        if line.startswith("<") or (line.startswith(">") and "sent to be refused" not in talk["about"])
    ),
]


@pytest.mark.parametrize(("face", "text"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_vector_fits_its_schema(face: str, text: str) -> None:
    """What clients are held against agrees with what they are told."""
    assert fits(face, text), text


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"subscribe"}',
        '{"type":"subscribe","symbols":"EURUSD"}',
        '{"type":"subscribe","symbols":[""]}',
        '{"type":"configure","maxRate":-1}',
        '{"type":"configure","paused":1}',
        '{"type":"ping","id":true}',
    ],
)
def test_the_schemas_refuse_what_the_relay_refuses(text: str) -> None:
    """They are no empty promise."""
    assert not fits("v1", text)
