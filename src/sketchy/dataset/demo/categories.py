"""What the demo set can draw: the table to add a category to."""

from collections.abc import Callable
from dataclasses import dataclass

from numpy.random import Generator

from sketchy.dataset.demo import animals, belongings, flying, indoors, outdoors, plants, vehicles
from sketchy.dataset.demo.shapes import Part


@dataclass(frozen=True)
class Category:
    """How things of a category are drawn, where they are found, how far they lean, and whether they may look left."""

    draw: Callable[[Generator], list[Part]]
    scenes: tuple[str, ...]
    tilt: float = 4.0
    flip: bool = True


CATEGORIES: dict[str, Category] = {
    "apple": Category(plants.apple, ("table", "table", "boards", "cloth"), tilt=14),
    "bicycle": Category(vehicles.bicycle, ("meadow", "street", "snow")),
    "butterfly": Category(animals.butterfly, ("leaves", "lawn", "stone"), tilt=50),
    "candle": Category(indoors.candle, ("table",), tilt=2),
    "car_(sedan)": Category(vehicles.car, ("street", "street", "meadow", "snow"), tilt=2),
    "chair": Category(indoors.chair, ("room", "room", "meadow"), tilt=2),
    "cup": Category(indoors.cup, ("table",), tilt=3),
    "fish": Category(animals.fish, ("underwater", "underwater", "boards"), tilt=25),
    "flower": Category(plants.flower, ("leaves", "meadow", "stone"), tilt=12),
    "guitar": Category(indoors.guitar, ("boards", "cloth", "room", "lawn"), tilt=22),
    "hat": Category(belongings.hat, ("table", "boards", "cloth", "sand"), tilt=10),
    "hot-air_balloon": Category(flying.hot_air_balloon, ("sky",), tilt=6),
    "house": Category(outdoors.house, ("meadow", "snow"), tilt=0.5),
    "key": Category(belongings.key, ("boards", "cloth", "stone"), tilt=80),
    "mushroom": Category(plants.mushroom, ("meadow", "leaves", "boards"), tilt=10),
    "rocket": Category(flying.rocket, ("sky", "space"), tilt=30),
    "sailboat": Category(vehicles.sailboat, ("sea",), tilt=5),
    "snowman": Category(outdoors.snowman, ("snow",), tilt=3),
    "starfish": Category(animals.starfish, ("sand", "sand", "stone", "underwater"), tilt=36),
    "tree": Category(plants.tree, ("meadow", "meadow", "snow"), tilt=3),
    "umbrella": Category(belongings.umbrella, ("sky", "sky", "leaves", "sand"), tilt=18),
}
