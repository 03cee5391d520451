"""The "photos" of the demo set: parts filled, lit and set into a scene, then taken with a middling camera."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

from sketchy.dataset.demo.light import Light
from sketchy.dataset.demo.pose import SIZE, Pose
from sketchy.dataset.demo.raster import coverage
from sketchy.dataset.demo.scenes import SCENES, Rest
from sketchy.dataset.demo.shapes import Array, Part
from sketchy.dataset.demo.textures import TEXTURES

RELIEF_SIDE = 48
"""Cells along the longer side of the coarse grid on which a cushion is blown up."""


@dataclass(frozen=True, eq=False)
class Patch:
    """A window of the picture; how much of its pixels a part covers, and how much the body that gives it its relief."""

    rows: slice
    columns: slice
    cover: Array
    body: Array


def paint(parts: Sequence[Part], pose: Pose, scene: str, rng: Generator) -> Image.Image:
    """Return a 256x256 RGB picture of the thing in the scene (a key of `scenes.SCENES`)."""
    setting = SCENES[scene]
    light = Light.draw(rng)
    horizon = pose.bottom / SIZE - rng.uniform(*setting.depth)
    canvas = setting.paint(rng, horizon)
    light = light.tinted(canvas)
    patches = [_patch(part, pose) for part in parts]
    silhouette = np.zeros((SIZE, SIZE), np.float32)
    for patch in patches:
        window = silhouette[patch.rows, patch.columns]
        np.maximum(window, patch.cover, out=window)
    canvas *= _cast_shadow(silhouette, setting.rest, light, pose.bottom, horizon * SIZE, rng)[..., None]
    done = np.zeros_like(silhouette)
    for part, patch in zip(parts, patches, strict=True):
        _lay(canvas, done, part, patch, pose, light, rng)
    if setting.rest == "water":
        canvas = _reflect(canvas, silhouette, pose.bottom, rng)
    return _develop(canvas, rng)


def _patch(part: Part, pose: Pose) -> Patch:
    paths, body = [pose.place(path) for path in part.paths], [pose.place(path) for path in part.within]
    width = max(part.width * pose.scale, 0.9) if part.width else 0.0
    everything = np.concatenate(body or paths)
    low = np.clip(np.floor(everything.min(0) - width - 3), 0, SIZE - 2).astype(int)
    high = np.clip(np.ceil(everything.max(0) + width + 3), low + 2, SIZE).astype(int)
    window = (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
    cover = coverage(window, paths, width, [pose.place(hole) for hole in part.holes])
    whole = coverage(window, body) if body else cover
    return Patch(slice(window[1], window[3]), slice(window[0], window[2]), np.minimum(cover, whole), whole)


def _lay(canvas: Array, done: Array, part: Part, patch: Patch, pose: Pose, light: Light, rng: Generator) -> None:
    """Paint one part over the canvas, with the soft shadow it throws on the parts below it."""
    window = canvas[patch.rows, patch.columns]
    below = done[patch.rows, patch.columns]
    depth = 0.0 if part.width and part.width * pose.scale < 1.5 else 0.45 if part.form != "flat" else 0.25
    if depth:
        soft = _blurred(patch.cover, 2.5)
        window *= (1 - depth * soft * below)[..., None]
    normal = _normal(part, patch, pose)
    across, down = pose.local(patch.columns, patch.rows)
    albedo = TEXTURES[part.texture](part, across, down, rng)
    color = light.shine(albedo, normal, part.gloss)
    window += patch.cover[..., None] * (color - window)
    np.maximum(below, patch.cover, out=below)


def _normal(part: Part, patch: Patch, pose: Pose) -> Array:
    """Return the (H, W, 3) unit normals of a part: x right, y down, z towards the viewer."""
    if part.form == "puff":
        return _cushion(patch.body)
    if part.form == "tube":
        return _turned(part, patch, pose)
    soft = _blurred(patch.body, 1.2)
    return _normals(1.2 * soft, np.ones_like(soft))


def _cushion(cover: Array) -> Array:
    """Blow the covered area up: the root of the solution of Poisson's equation, a sphere where it is a disc."""
    height, width = cover.shape
    swell = np.zeros((2, 2), np.float32)
    for side in (6, 12, 24, RELIEF_SIDE):
        shrink = side / max(height, width)
        size = (max(3, round(width * shrink)), max(3, round(height * shrink)))
        inside = np.pad(_resized(cover, size), 1)
        swell = np.pad(4 * _resized(swell, size), 1)
        for _ in range(24):
            around = swell[:-2, 1:-1] + swell[2:, 1:-1] + swell[1:-1, :-2] + swell[1:-1, 2:]
            swell[1:-1, 1:-1] = inside[1:-1, 1:-1] * (around + 1) / 4
        swell = swell[1:-1, 1:-1]
    cell = width / swell.shape[1]
    swell = np.maximum(_resized(swell, (width, height)), 0) * cell**2
    return _normals(swell, np.sqrt(swell) + 0.2)


def _turned(part: Part, patch: Patch, pose: Pose) -> Array:
    """Round the part about its own upright axis, each height by its own width."""
    paths = part.within or part.paths
    outline = np.concatenate(paths)
    low, high = outline[:, 1].min(), outline[:, 1].max()
    cells = 96
    origin = np.array([outline[:, 0].min(), low])
    zoom = cells / np.maximum(np.array([np.ptp(outline[:, 0]), high - low]), 1e-6)
    sheet = Image.new("L", (cells, cells))
    for path in paths:
        ImageDraw.Draw(sheet).polygon([(x, y) for x, y in ((path - origin) * zoom).tolist()], fill=1)
    filled = np.asarray(sheet) > 0
    first = filled.argmax(1) / zoom[0] + origin[0]
    last = (cells - filled[:, ::-1].argmax(1)) / zoom[0] + origin[0]
    across, down = pose.local(patch.columns, patch.rows)
    heights = (np.arange(cells) + 0.5) / zoom[1] + low
    start, end = np.interp(down, heights, first), np.interp(down, heights, last)
    side = np.clip((2 * across - start - end) / np.maximum(end - start, 1e-6), -0.99, 0.99)
    right = pose.matrix[:, 0] / np.linalg.norm(pose.matrix[:, 0])
    return _unit(side * right[0], side * right[1], np.sqrt(1 - side**2))


def _cast_shadow(silhouette: Array, rest: Rest, light: Light, bottom: float, horizon: float, rng: Generator) -> Array:
    """Return what the scene keeps of its light, 0 to 1, beside a thing that stands on it or lies on it.

    Args:
        silhouette: (256, 256), 1 where the thing is.
        rest: what holds the thing.
        light: what throws the shadow.
        bottom: row in which the thing stands.
        horizon: row from which the ground reaches down.
        rng: draws how long and how soft the shadow is.
    """
    lean = -light.toward[0] / light.toward[2]
    if rest == "stand":
        # Laid down: the point that is h rows above the bottom falls h * length above it, h * lean aside.
        length, foot = rng.uniform(0.18, 0.4), bottom - 2
        fallen = _sheared(
            silhouette, (1.0, lean / length, -lean / length * foot, 0.0, 1 / length, foot - foot / length)
        )
        touch = _sheared(silhouette, (1, 0, 0, 0, 8, -7 * foot))
        ground = np.clip((np.arange(SIZE) - horizon) / 3, 0, 1)[:, None]
        return (1 - 0.45 * ground * _blurred(fallen, rng.uniform(2, 5))) * (1 - 0.6 * ground * _blurred(touch, 3))
    if rest == "lie":
        gap = rng.uniform(2, 7)
        drop = -light.toward[1] / light.toward[2]
        shifted = np.roll(silhouette, (round(gap * drop), round(gap * lean)), (0, 1))
        return (1 - 0.5 * _blurred(shifted, gap * 0.6)) * (1 - 0.3 * _blurred(silhouette, 9))
    return np.ones_like(silhouette)


def _reflect(canvas: Array, silhouette: Array, bottom: float, rng: Generator) -> Array:
    """Mirror what stands above the waterline in the water below it, broken by ripples."""
    line = min(int(bottom) - 3, SIZE - 4)
    rows = np.arange(line, SIZE)
    depth = rows - line
    ripple = np.sin(depth * rng.uniform(0.9, 1.6) + rng.uniform(0, 6)) * (0.5 + depth * 0.09)
    source = np.clip(line - 1 - depth * rng.uniform(0.8, 1.1), 0, SIZE - 1).astype(int)
    columns = np.clip(np.arange(SIZE)[None] + np.round(ripple)[:, None].astype(int), 0, SIZE - 1)
    seen = silhouette[source[:, None], columns] * (0.75 * np.exp(-depth / 45))[:, None] * (1 - silhouette[line:])
    canvas[line:] += seen[..., None] * (0.75 * canvas[source[:, None], columns] - canvas[line:])
    return canvas


def _develop(canvas: Array, rng: Generator) -> Image.Image:
    """Expose, tint, blur and grain the scene's light into a picture."""
    exposure = rng.uniform(0.8, 1.25) * (0.3 / max(float(canvas.mean()), 0.12)) ** 0.5
    balance = np.array([1 + (warm := rng.normal(0, 0.05)), 1.0, 1 - warm], np.float32)
    across = np.linspace(-1, 1, SIZE, dtype=np.float32)
    corner = 1 - np.float32(rng.uniform(0.05, 0.3) / 2) * (across**2 + across[:, None] ** 2)
    bright = canvas * (np.float32(exposure) * balance) * corner[..., None]
    glare = np.clip(bright.mean(2) - 1, 0, 1)
    if glare.any():
        bright += (0.5 * _blurred(glare, 4) + 0.8 * _blurred(glare, 14))[..., None] * np.array(
            [1, 0.85, 0.6], np.float32
        )
    film = bright * (2.51 * bright + 0.03) / (bright * (2.43 * bright + 0.59) + 0.14)
    shown = np.clip(film, 0, 1) ** np.float32(1 / 2.2)
    picture = Image.fromarray((shown * 255).astype(np.uint8))
    picture = picture.filter(ImageFilter.GaussianBlur(abs(rng.normal(0, 0.35))))
    grain = rng.uniform(1.0, 4.0) * rng.standard_normal((SIZE, SIZE, 1), np.float32)
    grain = grain + rng.standard_normal((SIZE, SIZE, 3), np.float32)
    return Image.fromarray(np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8))


def _blurred(values: Array, radius: float) -> Array:
    sheet = Image.fromarray((values * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(sheet, np.float32) / 255


def _sheared(values: Array, back: tuple[float, float, float, float, float, float]) -> Array:
    """Return values moved about; `back` holds two rows of the matrix from new pixels to old ones."""
    sheet = Image.fromarray(np.asarray(values, np.float32))
    return np.asarray(sheet.transform(sheet.size, Image.Transform.AFFINE, back, Image.Resampling.BILINEAR))


def _resized(values: Array, size: tuple[int, int]) -> Array:
    return np.asarray(Image.fromarray(np.asarray(values, np.float32)).resize(size, Image.Resampling.BICUBIC))


def _normals(height: Array, z: Array) -> Array:
    """Return the unit normals of a relief of this height; a larger z makes it flatter."""
    down, across = (np.asarray(slope) for slope in np.gradient(height))
    return _unit(-across, -down, z)


def _unit(x: Array, y: Array, z: Array) -> Array:
    normal = np.stack([x, y, z], axis=2).astype(np.float32)
    normal /= np.sqrt((normal**2).sum(2, keepdims=True))
    return normal
