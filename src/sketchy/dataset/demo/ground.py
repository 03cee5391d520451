"""What scenes are built of: ground in perspective, surfaces from above, gradients, and painting out of focus."""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

from sketchy.dataset.demo.light import linear, noise
from sketchy.dataset.demo.pose import SIZE
from sketchy.dataset.demo.shapes import Array, Color, pick, shade


def level(horizon: float) -> tuple[Array, Array]:
    """Return across and away, (256, 256) each, of the level ground seen below a height (0 top to 1 bottom)."""
    rows = (np.arange(SIZE, dtype=np.float32)[:, None] + 0.5) / SIZE
    away = np.float32(0.35) / np.maximum(rows - np.float32(horizon) + np.float32(0.06), np.float32(0.02))
    across = (np.arange(SIZE, dtype=np.float32)[None] / SIZE - np.float32(0.5)) * away * 2
    return across, np.asarray(np.broadcast_to(away, (SIZE, SIZE)))


def floored(canvas: Array, horizon: float, ground: Array, soft: float) -> Array:
    """Put the ground below the horizon, an edge `soft` pixels wide."""
    rows = np.arange(SIZE, dtype=np.float32)[:, None, None]
    cover = np.clip((rows - horizon * SIZE) / soft, 0, 1)
    return np.asarray(canvas * (1 - cover) + ground * cover, np.float32)


def tilted(rng: Generator) -> tuple[Array, Array]:
    """Return down and across, (256, 256) each, about 1 to 3, turned by any angle."""
    angle = rng.uniform(0, np.pi)
    down, across = np.mgrid[0 : 1 : SIZE * 1j, 0 : 1 : SIZE * 1j].astype(np.float32)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return down * cos - across * sin + 2, across * cos + down * sin + 2


def side_lit(rng: Generator, canvas: Array) -> Array:
    """Light a surface more on one side than on the other."""
    _, across = tilted(rng)
    slope = (across - across.mean()) * rng.uniform(0.1, 0.7)
    return np.asarray(canvas * (0.85 + slope)[..., None], np.float32)


def gradient(rng: Generator, high: Array, low: Array) -> Array:
    """Return a picture that runs from one colour at the top to another at the bottom."""
    share = np.linspace(0, 1, SIZE, dtype=np.float32)[:, None, None] ** np.float32(rng.uniform(0.7, 1.4))
    return np.asarray(np.broadcast_to(high * (1 - share) + low * share, (SIZE, SIZE, 3)), np.float32).copy()


def painted(canvas: Array, blur: float, strokes: Callable[[ImageDraw.ImageDraw], None]) -> Array:
    """Return the picture with what `strokes` draws on it, blurred by so many pixels."""
    sheet = Image.fromarray((np.clip(canvas, 0, 1) ** np.float32(1 / 2.2) * 255).astype(np.uint8))
    strokes(ImageDraw.Draw(sheet))
    if blur:
        sheet = sheet.filter(ImageFilter.GaussianBlur(blur))
    return (np.asarray(sheet, np.float32) / 255) ** np.float32(2.2)


def rgb(color: Color) -> tuple[int, int, int]:
    """Return a colour as Pillow's pen takes it."""
    red, green, blue = (int(255 * channel) for channel in color)
    return red, green, blue


def grown(rng: Generator, canvas: Array, horizon: float, count: int) -> Array:
    """Grow single blades of grass below the horizon, longer towards the viewer."""

    def blades(pen: ImageDraw.ImageDraw) -> None:
        for y in np.sort(rng.uniform(horizon, 1.02, count)):
            x, tall = rng.uniform(0, SIZE), (4 + 12 * (y - horizon) / (1 - horizon + 0.01)) * rng.uniform(0.5, 1.2)
            tone = rgb(shade(pick(rng, "green", "forest", "lime"), rng.uniform(0.6, 1.2)))
            pen.line((x, y * SIZE, x + rng.normal(0, tall / 3), y * SIZE - tall), fill=tone)

    return painted(canvas, 0, blades)


def clouded(rng: Generator) -> Array:
    """Return a blue, grey or evening sky with clouds."""
    skies = [("blue", "sky"), ("sky", "white"), ("silver", "white"), ("navy", "orange"), ("sky", "cream")]
    high, low = skies[rng.choice(len(skies), p=[0.3, 0.3, 0.2, 0.08, 0.12])]
    canvas = gradient(rng, linear(pick(rng, high)), linear(pick(rng, low)))
    clouds = noise(rng, (SIZE, SIZE), rng.uniform(3, 6), rng.uniform(1.5, 3), 5)
    thick = np.clip((clouds - rng.uniform(-0.2, 0.7)) * 1.6, 0, 0.85)[..., None]
    return np.asarray(canvas * (1 - thick) + thick * (0.75 + 0.15 * clouds[..., None]), np.float32)


def hills(rng: Generator, canvas: Array, horizon: float, color: Color, height: float) -> Array:
    """Put two ridges before the sky, the farther one paler."""
    rows = np.arange(SIZE, dtype=np.float32)[:, None] / SIZE
    for near in (1.0, 0.45):
        ridge = horizon - height * near * (0.6 + 0.6 * noise(rng, (2, SIZE), 2, 3, 5)[:1])
        haze = canvas[:60].mean((0, 1)) * (0.25 + 0.5 * near)
        tone = haze + linear(color) * (1 - 0.5 * near)
        cover = np.clip((rows - ridge) * 90, 0, 1)[..., None]
        canvas = canvas * (1 - cover) + cover * tone
    return np.asarray(canvas, np.float32)
