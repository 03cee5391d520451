"""The photos of the demo dataset: a thing is lit, put into a scene, and photographed with a mediocre camera."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter

from sketchy.demo.raster import SIZE, Array, Window, blurred, coverage
from sketchy.demo.scenes import SCENES
from sketchy.demo.surface import albedo, normals
from sketchy.demo.things import Part, Thing


@dataclass(frozen=True, eq=False)
class Light:
    """A lamp, and ambient light that differs above and below.

    Attributes:
        toward: Unit vector towards the lamp, shape (3,).
        lamp: Linear light of the lamp, shape (3,); `above` and `below` likewise, of the ambient light.
    """

    toward: Array
    lamp: Array
    above: Array
    below: Array


def paint(thing: Thing, scene: str, rng: Generator) -> Image.Image:
    """Return a photo of the thing, RGB, 256x256, in a scene named as in `scenes.SCENES`."""
    setting = SCENES[scene]
    horizon = thing.bottom / SIZE - rng.uniform(*setting.depth)
    canvas = setting.paint(rng, horizon)
    light = _draw_light(rng, canvas)
    silhouette = np.zeros((SIZE, SIZE), np.float32)
    for part in thing.parts:
        np.maximum(silhouette, coverage(part.paths, part.within, width=part.width, oversample=1), out=silhouette)
    canvas *= _cast_shadow(silhouette, setting.rest, light, thing.bottom, horizon * SIZE, rng)[..., None]
    done = np.zeros_like(silhouette)
    for part in thing.parts:
        _paint_part(canvas, done, part, thing, light, rng)
    return _develop(canvas, rng)


def _draw_light(rng: Generator, canvas: Array) -> Light:
    """Return random light from above and in front of the thing, coloured by the scene."""
    toward = np.array([rng.uniform(-0.75, 0.75), -rng.uniform(0.35, 0.8), rng.uniform(0.5, 0.9)], np.float32)
    warm, hard = rng.normal(0.04, 0.05), rng.uniform(0.6, 1.1)
    top, bottom = canvas[:80].mean((0, 1)), canvas[-80:].mean((0, 1))
    glow = np.float32((1.35 - hard) * 0.75)
    return Light(
        toward / np.linalg.norm(toward),
        hard * np.array([1 + warm, 1, 1 - warm], np.float32),
        glow * (0.5 + 0.5 * top / (top.mean() + 0.02)),
        glow / 2 * (0.35 + 0.65 * bottom / (bottom.mean() + 0.02)),
    )


def _paint_part(canvas: Array, done: Array, part: Part, thing: Thing, light: Light, rng: Generator) -> None:
    """Paint a part on the canvas, with the soft shadow that it casts on the parts behind it."""
    window = _window(part)
    left, top, right, bottom = window
    cover = coverage(part.paths, part.within, width=part.width, window=window)
    body = coverage(part.within, window=window) if part.within else cover
    area, below = canvas[top:bottom, left:right], done[top:bottom, left:right]
    if not 0 < part.width < 1.5:
        area *= (1 - (0.25 if part.form == "flat" else 0.45) * blurred(cover, 2.5) * below)[..., None]
    color = albedo(part, *thing.own_coordinates(window), top, rng)
    area += cover[..., None] * (_shade(color, normals(part.form, body), part.gloss, light) - area)
    np.maximum(below, cover, out=below)


def _window(part: Part) -> Window:
    """Return the box of the pixels of a part, or of the body that it is painted on."""
    points = np.concatenate(part.within or part.paths)
    left, top = np.clip(np.floor(points.min(0) - part.width - 3), 0, SIZE - 2).astype(int).tolist()
    right, bottom = np.clip(np.ceil(points.max(0) + part.width + 3), (left + 2, top + 2), SIZE).astype(int).tolist()
    return left, top, right, bottom


def _shade(color: Array, normal: Array, gloss: float, light: Light) -> Array:
    """Return the light that the viewer sees, shape (H, W, 3), given colours and unit normals of a surface."""
    upwards = 0.5 - 0.5 * normal[..., 1:2]
    facing = np.maximum(normal @ light.toward, 0)[..., None]
    seen = color * (light.below + (light.above - light.below) * upwards + light.lamp * facing)
    if gloss:
        half = light.toward + np.array([0, 0, 1], np.float32)
        glint = np.maximum(normal @ (half / np.linalg.norm(half)), 0)[..., None]
        sky = light.above * np.clip(2 * upwards - 0.6, 0, 1) * (1.05 - np.clip(normal[..., 2:], 0, 1)) ** 2
        seen = seen + gloss * ((0.6 * glint**60 + 0.12 * glint**12) * light.lamp.mean() + sky)
    return np.asarray(seen, np.float32)


def _cast_shadow(silhouette: Array, rest: str, light: Light, bottom: float, horizon: float, rng: Generator) -> Array:
    """Return the share of light that each pixel of the scene keeps in the shadow of the thing, shape (SIZE, SIZE)."""
    lean, drop = (-light.toward[:2] / light.toward[2]).tolist()
    if rest == "ground":
        # A point h rows above the bottom casts its shadow h * length rows above it, shifted by h * lean.
        length, foot = rng.uniform(0.18, 0.4), bottom - 2
        fallen = (1.0, lean / length, -lean / length * foot, 0.0, 1 / length, foot - foot / length)
        ground = np.clip((np.arange(SIZE) - horizon) / 3, 0, 1)[:, None]
        cast = blurred(_sheared(silhouette, fallen), rng.uniform(2, 5))
        touch = blurred(_sheared(silhouette, (1, 0, 0, 0, 8, -7 * foot)), 3)
        return (1 - 0.45 * ground * cast) * (1 - 0.6 * ground * touch)
    if rest == "surface":
        gap = rng.uniform(2, 7)
        shifted = np.roll(silhouette, (round(gap * drop), round(gap * lean)), (0, 1))
        return (1 - 0.5 * blurred(shifted, gap * 0.6)) * (1 - 0.3 * blurred(silhouette, 9))
    return np.ones_like(silhouette)


def _sheared(values: Array, back: tuple[float, float, float, float, float, float]) -> Array:
    """Return the affine transform of values; `back` is the 2x3 matrix from new pixels to old ones, by rows."""
    moved = Image.fromarray(values).transform((SIZE, SIZE), Image.Transform.AFFINE, back, Image.Resampling.BILINEAR)
    return np.asarray(moved)


def _develop(canvas: Array, rng: Generator) -> Image.Image:
    """Turn linear light into a picture, with exposure, white balance, vignetting, blur and noise."""
    exposure = rng.uniform(0.8, 1.25) * (0.3 / max(float(canvas.mean()), 0.12)) ** 0.5
    balance = np.array([1 + (warm := rng.normal(0, 0.05)), 1.0, 1 - warm], np.float32)
    across = np.linspace(-1, 1, SIZE, dtype=np.float32)
    corner = 1 - np.float32(rng.uniform(0.05, 0.3) / 2) * (across**2 + across[:, None] ** 2)
    bright = canvas * (np.float32(exposure) * balance) * corner[..., None]
    film = bright * (2.51 * bright + 0.03) / (bright * (2.43 * bright + 0.59) + 0.14)
    picture = Image.fromarray((np.clip(film, 0, 1) ** np.float32(1 / 2.2) * 255).astype(np.uint8))
    picture = picture.filter(ImageFilter.GaussianBlur(abs(rng.normal(0, 0.35))))
    speckle = rng.standard_normal((SIZE, SIZE, 3), np.float32)
    speckle += rng.uniform(1.0, 4.0) * rng.standard_normal((SIZE, SIZE, 1), np.float32)
    return Image.fromarray(np.clip(np.asarray(picture) + speckle, 0, 255).astype(np.uint8))
