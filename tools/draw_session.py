"""Draws the session's state machine from its table: docs/session.svg, and the table in docs/session.rst.

Run it after a change of `tickrelay.upstream.machine`; a test compares. Where everything stands on the picture is
written here, what leads where is not.
"""

import sys
from pathlib import Path

from tickrelay.upstream.machine import TRANSITIONS, State

ROOT = Path("docs")
BEGIN, END = "\n.. drawn: the machine, by tools/draw_session.py\n", "\n.. end of the drawing\n"

WIDTH, HEIGHT = 132, 30
COLUMN = [
    State.CONNECTING,
    State.APPLICATION_AUTH,
    State.ACCOUNT_AUTH,
    State.SYMBOLS,
    State.RESTORING,
    State.LIVE,
    State.DEGRADED,
]
PLACES = {
    **{state: (330, 110 + 66 * row) for row, state in enumerate(COLUMN)},
    State.IDLE: (80, 24),
    State.WAITING: (80, 150),
    State.DROPPING: (80, 380),
    State.STOPPING: (600, 180),
    State.STOPPED: (330, 24),
}
FRAMES = {
    "any of these": (frozenset(COLUMN), (242, 82, 176, 476)),
    "authorised": (frozenset(COLUMN[3:]), (252, 284, 156, 258)),
}


def text(x: float, y: float, words: str, size: int = 11, anchor: str = "middle") -> str:
    """A word on the picture."""
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}">{words}</text>'


def arrow(x1: float, y1: float, x2: float, y2: float, label: str, at: tuple[float, float, str] | None = None) -> str:
    """An arrow with its input beside it, at its middle unless told."""
    upright = x1 == x2
    x, y, anchor = at or ((x1 + x2) / 2 + 4 * upright, (y1 + y2) / 2 - 4, "start" if upright else "middle")
    return f'<path d="M{x1:g},{y1:g} L{x2:g},{y2:g}" class="edge"/>' + text(x, y, label, 9, anchor)


def side(box: tuple[float, float, float, float], towards: float) -> float:
    """The x of the side of a frame that faces something."""
    return box[0] if towards < box[0] else box[0] + box[2]


def edges(sources: tuple[State, ...], label: str, target: State) -> list[str]:
    """The arrows of one row of the table: one from each frame or single state."""
    rest, lines = set(sources), []
    tx, ty = PLACES[target]
    for states, box in FRAMES.values():
        if states <= rest:
            rest -= states
            if target in states:  # back up inside the column
                x = box[0] + box[2]
                lines.append(arrow(x, box[1] + 60, tx + WIDTH / 2, ty, label, (x - 2, box[1] - 4, "end")))
            else:
                x = side(box, tx)
                near = tx + (WIDTH / 2 if x > tx else -WIDTH / 2)
                lines.append(arrow(x, min(max(ty, box[1] + 30), box[1] + box[3] - 30), near, ty, label))
    for state in sorted(rest, key=list(State).index):
        sx, sy = PLACES[state]
        if (state, target) == (State.DROPPING, State.STOPPING):  # under everything else
            path = f"M{sx:g},{sy + HEIGHT / 2:g} V580 H{tx:g} V{ty + HEIGHT / 2:g}"
            lines += [f'<path d="{path}" class="edge"/>', text(330, 576, label, 9)]
        elif state in COLUMN and target in COLUMN:
            step = HEIGHT / 2 if ty > sy else -HEIGHT / 2
            shift = 20 if step < 0 else 0 if target is not State.DEGRADED else -20
            at = (sx + shift - 4, (sy + ty) / 2 - 4, "end") if shift < 0 else None
            lines.append(arrow(sx + shift, sy + step, tx + shift, ty - step, label, at))
        elif sx == tx:
            step = HEIGHT / 2 if ty > sy else -HEIGHT / 2
            shift = 30 if step < 0 else -30
            lines.append(arrow(sx + shift, sy + step, tx + shift, ty - step, label))
        else:
            step = WIDTH / 2 if tx > sx else -WIDTH / 2
            lift = -8 if state is State.IDLE else 8 if state is State.STOPPED else 0
            ends = sx + step, sy + lift, tx - step, ty + (lift if abs(ty - sy) < 40 else 0)
            below = (sx + tx) / 2 + 12, (sy + ty) / 2 + 14, "start"
            lines.append(arrow(*ends, label, below if state is State.STOPPED else None))
    return lines


def picture() -> str:
    """The machine as SVG."""
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 590" font-family="sans-serif">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z"/></marker></defs>',
        "<style>.edge{fill:none;stroke:#444;marker-end:url(#tip)} .state{fill:#eef4fb;stroke:#357}"
        " .frame{fill:none;stroke:#999;stroke-dasharray:4}</style>",
    ]
    for name, (_, (x, y, w, h)) in FRAMES.items():
        parts.append(f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="8" class="frame"/>')
        parts.append(text(x + w - 4, y + h - 4, name, 9, "end"))
    for sources, happens, target in TRANSITIONS:
        parts += edges(sources, happens.__name__, target)
    for state, (x, y) in PLACES.items():
        corner = f'x="{x - WIDTH / 2:g}" y="{y - HEIGHT / 2:g}"'
        parts.append(f'<rect {corner} width="{WIDTH}" height="{HEIGHT}" rx="6" class="state"/>')
        parts.append(text(x, y + 4, state.value))
    return "\n".join([*parts, "</svg>", ""])


def table() -> str:
    """The machine as a table."""
    lines = [".. list-table::", "   :header-rows: 1", "", "   * - in", "     - when", "     - then"]
    for sources, happens, target in TRANSITIONS:
        lines.append(f"   * - {', '.join(source.value for source in sources)}")
        lines.append(f"     - ``{happens.__name__}``: {(happens.__doc__ or '').strip()}")
        lines.append(f"     - {target.value}")
    return "\n".join(lines)


def redrawn(page: str) -> str:
    """The page with the table as the code has it now."""
    head, rest = page.split(BEGIN)
    _, tail = rest.split(END)
    return f"{head}{BEGIN}\n{table()}\n{END}{tail}"


if __name__ == "__main__":
    rst = ROOT / "session.rst"
    rst.write_text(redrawn(rst.read_text()))
    (ROOT / "session.svg").write_text(picture())
    print("docs/session.rst, docs/session.svg", file=sys.stderr)
