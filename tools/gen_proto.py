"""Generate the committed protobuf modules from ``proto/``.

``python tools/gen_proto.py`` rewrites them, ``--check`` only says which differ (exit status 1 if any does).
Needs the grpcio-tools pinned in ``tools/proto-requirements.txt``: what that release writes runs on every protobuf
runtime that ``setup.cfg`` allows, while a newer generator would ask for a newer runtime than that.
"""

import argparse
import pathlib
import sys
import tempfile
from importlib import resources

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"

# Schema file -> where its modules go. protoc lays out its output by the path below -I, so the openapi files land
# in their package by themselves; tickrelay's own schema has a flat name and is sent into the wire package.
TARGETS = {
    "tickrelay/openapi/common_model.proto": "",
    "tickrelay/openapi/common.proto": "",
    "tickrelay/openapi/model.proto": "",
    "tickrelay/openapi/messages.proto": "",
    "tickrelay.proto": "tickrelay/wire",
}


def generate(destination: pathlib.Path) -> list[pathlib.Path]:
    """Write the modules and stubs below *destination*; return their paths relative to it."""
    from grpc_tools import protoc

    well_known = str(resources.files("grpc_tools") / "_proto")
    written: list[pathlib.Path] = []
    for schema, place in TARGETS.items():
        if not (PROTO / schema).exists():
            continue
        out = destination / place
        out.mkdir(parents=True, exist_ok=True)
        arguments = ["protoc", f"-I{PROTO}", f"-I{well_known}", f"--python_out={out}", f"--pyi_out={out}", schema]
        if protoc.main(arguments) != 0:
            raise SystemExit(f"protoc refused {schema}")
        stem = pathlib.Path(place, schema.removesuffix(".proto") + "_pb2")
        written += [stem.with_suffix(".py"), stem.with_suffix(".pyi")]
    return written


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with what is committed, write nothing")
    check = parser.parse_args().check
    if not check:
        print("\n".join(str(p) for p in generate(ROOT)))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        fresh = pathlib.Path(scratch)
        stale = [
            p for p in generate(fresh) if not (ROOT / p).exists() or (ROOT / p).read_bytes() != (fresh / p).read_bytes()
        ]
    for p in stale:
        print(f"{p} differs from its schema: run make proto", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
