"""GIF: frames, with extension blocks between them."""

from sketchy.containers.stripped import MAX_BLOCKS, MAX_FRAMES, StrippedImage, check_limit


def strip_gif(content: bytes) -> StrippedImage:
    """Keep the header, the frames and the graphic control extension before each frame. Raises ImageError."""
    position = 13 + _color_table_size(content, 10)
    kept = [content[:position]]
    control = b""  # the graphic control extension of the next frame
    frames = 0
    for _ in range(MAX_BLOCKS):
        kind = content[position : position + 1]
        if kind in (b"", b";") or frames == MAX_FRAMES:
            break
        start = position
        if kind == b",":
            position = _skip_sub_blocks(content, start + 11 + _color_table_size(content, start + 9))
            kept += [control, content[start:position]]
            control = b""
            frames += 1
        elif kind == b"!":
            position = _skip_sub_blocks(content, start + 2)
            control = content[start:position] if content[start + 1 : start + 3] == b"\xf9\x04" else control
        else:
            position += 1
    else:
        check_limit(MAX_BLOCKS + (frames == 0), MAX_BLOCKS, "blocks")
    still = b"".join([*kept, b";"])
    return StrippedImage(still, animation=still if frames > 1 else None)


def _color_table_size(content: bytes, flags_at: int) -> int:
    """Return the size in bytes of a colour table, given the position of the byte with its flags."""
    flags = content[flags_at] if flags_at < len(content) else 0
    return 3 << (flags & 7) + 1 if flags & 128 else 0


def _skip_sub_blocks(content: bytes, position: int) -> int:
    while position < len(content) and content[position]:
        position += content[position] + 1
    return position + 1
