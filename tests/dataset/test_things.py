from collections import Counter
from itertools import combinations

import pytest
import yaml

from sketchy.dataset import things
from sketchy.dataset.things import canonical, imagenet, related
from sketchy.dataset.things import things as all_things

ENTRIES = yaml.safe_load((things.files("sketchy.dataset") / "things.yaml").read_text())

SKETCHY = """
airplane alarm_clock ant ape apple armor axe banana bat bear bee beetle bell bench bicycle blimp bread butterfly cabin
camel candle cannon car_(sedan) castle cat chair chicken church couch cow crab crocodilian cup deer dog dolphin door
duck elephant eyeglasses fan fish flower frog geyser giraffe guitar hamburger hammer harp hat hedgehog helicopter
hermit_crab horse hot-air_balloon hotdog hourglass jack-o-lantern jellyfish kangaroo knife lion lizard lobster
motorcycle mouse mushroom owl parrot pear penguin piano pickup_truck pig pineapple pistol pizza pretzel rabbit raccoon
racket ray rhinoceros rifle rocket sailboat saw saxophone scissors scorpion sea_turtle seagull seal shark sheep shoe
skyscraper snail snake songbird spider spoon squirrel starfish strawberry swan sword table tank teapot teddy_bear
tiger tree trumpet turtle umbrella violin volcano wading_bird wheelchair windmill window wine_bottle zebra
"""


def letters(name):
    return "".join(character for character in name.lower() if character.isalnum())


@pytest.mark.parametrize(
    ("name", "thing"),
    [
        ("dog", "dog"),
        ("Hot air balloon", "hot-air_balloon"),
        ("car", "car_(sedan)"),
        ("Car (sedan)", "car_(sedan)"),
        ("bear_(animal)", "bear"),
        ("mouse_(computer)", "computer_mouse"),
        ("tennis-racket", "racket"),
        ("motorbike", "motorcycle"),
        ("teacup", "cup"),
        ("crane (machine)", "crane"),
        ("The Eiffel Tower", "the_eiffel_tower"),
        ("Flying Spaghetti-Monster (god)", "flying_spaghetti_monster"),
        ("Gürteltier", "gürteltier"),
        ("(x)", "x"),
    ],
)
def test_every_name_of_a_thing_is_turned_into_its_one_name(name, thing):
    assert canonical(name) == thing


def test_the_categories_of_sketchy_are_things_as_it_spells_them():
    assert len(SKETCHY.split()) == 125
    assert [name for name in SKETCHY.split() if canonical(name) != name or name not in ENTRIES] == []


def test_names_of_things_are_their_own_canonical_names():
    assert [name for name in all_things() if canonical(name) != name] == []
    assert set(all_things()) == set(ENTRIES)


def test_no_name_stands_twice_in_the_table():
    counts = Counter(letters(name) for thing, fields in ENTRIES.items() for name in (thing, *fields.get("also", ())))
    assert [name for name, count in counts.items() if count > 1] == []


def test_a_name_of_two_things_is_an_error(monkeypatch):
    things._names.cache_clear()
    monkeypatch.setattr(things, "_entries", lambda: {"cup": {"also": ["mug"]}, "mug": {}})
    with pytest.raises(ValueError, match="mug is a name of cup and of mug"):
        canonical("mug")


def test_near_names_are_things_and_declared_once():
    declared = [(thing, other) for thing, fields in ENTRIES.items() for other in fields.get("near", ())]
    assert [pair for pair in declared if pair[1] not in ENTRIES or pair[0] == pair[1]] == []
    assert len({frozenset(pair) for pair in declared}) == len(declared)


def test_fields_are_those_that_the_table_explains():
    assert set().union(*ENTRIES.values()) == {"also", "near", "imagenet"}


def test_classes_are_indices_of_imagenet():
    for name in all_things():
        assert list(imagenet(name)) == sorted(set(imagenet(name)))
        assert all(0 <= index < 1000 for index in imagenet(name))


def test_classes_of_a_thing_may_be_ranges_and_are_found_by_any_name():
    assert imagenet("puppy") == tuple(range(151, 269))
    assert imagenet("zebra") == (340,)
    assert imagenet("giraffe") == imagenet("nothing_of_the_kind") == ()


def test_classes_bear_the_names_of_their_things():
    names = pytest.importorskip("torchvision.models._meta")._IMAGENET_CATEGORIES
    # Words of two meanings, of which the class has the other.
    others = {"mouse", "ear", "pot", "sword"}
    wrong = [
        (thing, name)
        for thing, fields in ENTRIES.items()
        for name in (thing, *fields.get("also", ()))
        for classes in [{index for index, word in enumerate(names) if letters(word) == letters(name)}]
        if classes and classes.isdisjoint(imagenet(thing)) and thing not in others
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("a", "b"),
    [("bird", "songbird"), ("mug", "cup"), ("monkey", "ape"), ("truck", "pickup_truck"), ("car", "race_car")],
)
def test_near_things_are_related_either_way_round(a, b):
    assert related(a, b)
    assert related(b, a)


def test_related_holds_for_synonyms_and_not_for_things_apart():
    assert related("mouse_(animal)", "mouse")
    assert related("unknown thing", "Unknown_Thing")
    assert not related("dog", "teapot")
    assert not related("unknown thing", "another")


def test_things_that_share_a_class_are_related_without_being_declared():
    pairs = [(a, b) for a, b in combinations(all_things(), 2) if set(imagenet(a)) & set(imagenet(b))]
    assert ("wheel", "tire") in pairs or ("tire", "wheel") in pairs
    assert all(related(a, b) and related(b, a) for a, b in pairs)
