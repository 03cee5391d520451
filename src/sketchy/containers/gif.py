"""GIF: frames, with extensions between them."""

from sketchy.containers.parts import MAX_BLOCKS, MAX_FRAMES, Parts, bound


def read_gif(content: bytes) -> Parts:
    position = 13 + _color_table(content, 10)
    kept = [content[:position]]
    control = b""  # belongs to the next frame
    frames = 0
    for _ in range(MAX_BLOCKS):
        kind = content[position : position + 1]
        if kind in (b"", b";") or frames == MAX_FRAMES:
            break
        start = position
        if kind == b",":
            position = _after_blocks(content, start + 11 + _color_table(content, start + 9))
            kept += [control, content[start:position]]
            control = b""
            frames += 1
        elif kind == b"!":
            position = _after_blocks(content, start + 2)
            control = content[start:position] if content[start + 1 : start + 3] == b"\xf9\x04" else control
        else:
            position += 1
    else:
        bound(MAX_BLOCKS + (frames == 0), MAX_BLOCKS, "blocks")
    still = b"".join([*kept, b";"])
    return Parts(still, animation=still if frames > 1 else None)


def _color_table(content: bytes, flags: int) -> int:
    """Return the bytes of a table of colours by the byte that announces it."""
    announced = content[flags] if flags < len(content) else 0
    return 3 << (announced & 7) + 1 if announced & 128 else 0


def _after_blocks(content: bytes, position: int) -> int:
    while position < len(content) and content[position]:
        position += content[position] + 1
    return position + 1
