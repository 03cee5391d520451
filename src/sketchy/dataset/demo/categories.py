"""What the demo set can draw: the table to add a category to."""

from collections.abc import Callable
from dataclasses import dataclass

from numpy.random import Generator

from sketchy.dataset.demo import nature, things, vehicles
from sketchy.dataset.demo.shapes import Part

TOP = ("boards", "cloth", "stone")
OUTSIDE = ("meadow", "street", "snow")
INSIDE = ("table", "room")


@dataclass(frozen=True)
class Category:
    """How things of a category are drawn, where they are found, how far they lean, and whether they may look left."""

    draw: Callable[[Generator], list[Part]]
    scenes: tuple[str, ...]
    tilt: float = 4.0
    flip: bool = True


CATEGORIES: dict[str, Category] = {
    "apple": Category(nature.apple, ("table", "table", "boards", "cloth"), tilt=14),
    "bicycle": Category(vehicles.bicycle, OUTSIDE),
    "butterfly": Category(nature.butterfly, ("leaves", "lawn", "stone"), tilt=50),
    "candle": Category(things.candle, ("table",), tilt=2),
    "car_(sedan)": Category(vehicles.car, ("street", "street", "meadow", "snow"), tilt=2),
    "chair": Category(things.chair, ("room", "room", "meadow"), tilt=2),
    "cup": Category(things.cup, ("table",), tilt=3),
    "fish": Category(nature.fish, ("underwater", "underwater", "boards"), tilt=25),
    "flower": Category(nature.flower, ("leaves", "meadow", "stone"), tilt=12),
    "guitar": Category(things.guitar, ("boards", "cloth", "room", "lawn"), tilt=22),
    "hat": Category(things.hat, ("table", "boards", "cloth", "sand"), tilt=10),
    "hot-air_balloon": Category(vehicles.hot_air_balloon, ("sky",), tilt=6),
    "house": Category(things.house, ("meadow", "snow"), tilt=0.5),
    "key": Category(things.key, ("boards", "cloth", "stone", "sand"), tilt=80),
    "mushroom": Category(nature.mushroom, ("meadow", "leaves", "boards"), tilt=10),
    "rocket": Category(vehicles.rocket, ("sky", "space"), tilt=30),
    "sailboat": Category(vehicles.sailboat, ("sea",), tilt=5),
    "snowman": Category(nature.snowman, ("snow",), tilt=3),
    "starfish": Category(nature.starfish, ("sand", "sand", "stone", "underwater"), tilt=36),
    "tree": Category(nature.tree, ("meadow", "meadow", "snow"), tilt=3),
    "umbrella": Category(things.umbrella, ("sky", "sand", "room", "street"), tilt=18),
}
