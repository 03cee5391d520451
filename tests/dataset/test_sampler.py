import numpy as np
import pytest

from sketchy.dataset.sampler import Items, PairSampler, PKSampler
from sketchy.errors import DataError


def items(*counts: int, first: int = 0) -> Items:
    """`counts[c]` rows of each category c, rows numbered from `first`."""
    categories = np.repeat(np.arange(len(counts)), counts)
    return Items(np.arange(first, first + len(categories)), categories)


SKETCHES = items(30, 20, 14)
PHOTOS = items(6, 5, 9, first=100)


def category_of(pool: Items, rows: np.ndarray) -> np.ndarray:
    lookup = dict(zip(pool.rows.tolist(), pool.categories.tolist(), strict=True))
    return np.array([lookup[row] for row in rows.tolist()])


def pairs(batch_size: int = 8, seed: int = 0) -> PairSampler:
    return PairSampler(SKETCHES, PHOTOS, batch_size=batch_size, seed=seed)


def test_half_of_every_batch_of_pairs_matches():
    for batch in pairs().epoch(0):
        match = category_of(SKETCHES, batch.sketches) == category_of(PHOTOS, batch.photos)
        assert match.sum() == 4


def test_an_epoch_of_pairs_takes_every_sketch_once():
    drawn = np.concatenate([batch.sketches for batch in pairs().epoch(3)])
    assert sorted(drawn) == sorted(SKETCHES.rows)


def test_negatives_come_from_all_other_categories_alike():
    sampler = PairSampler(items(4000, 10, 10), PHOTOS, batch_size=20, seed=1)
    drawn = [category_of(PHOTOS, b.photos[b.sketches < 4000]) for b in sampler.epoch(0)]
    counts = np.bincount(np.concatenate(drawn), minlength=3)
    assert counts[0] == pytest.approx(2000, abs=30)
    assert counts[1] == pytest.approx(counts[2], rel=0.15)


@pytest.mark.parametrize(
    "make", [pairs, lambda seed=0: PKSampler(SKETCHES, PHOTOS, categories=2, per_category=3, seed=seed)]
)
def test_an_epoch_depends_on_seed_and_number_only(make):
    def flat(sampler, number):
        return np.concatenate([np.concatenate(batch) for batch in sampler.epoch(number)])

    sampler = make(seed=5)
    first = flat(sampler, 2)
    flat(sampler, 0)
    assert np.array_equal(first, flat(make(seed=5), 2))
    assert not np.array_equal(first, flat(sampler, 3))
    assert not np.array_equal(first, flat(make(seed=6), 2))


def test_sketches_without_photos_of_their_category_are_left_out_of_pairs():
    sampler = PairSampler(items(8, 8, 8), items(3, 3, first=100), batch_size=4, seed=0)
    drawn = np.concatenate([batch.sketches for batch in sampler.epoch(0)])
    assert len(drawn) == 16
    assert drawn.max() < 16


@pytest.mark.parametrize(
    ("sketches", "photos", "message"),
    [
        (items(3), items(3), "need at least 2"),
        (items(2, 1), items(3, 3), "3 sketches to train on fill no batch of 8; lower sampler.batch_size"),
    ],
)
def test_pairs_that_would_yield_no_batch_raise(sketches, photos, message):
    with pytest.raises(DataError, match=message):
        PairSampler(sketches, photos, batch_size=8, seed=0)


def test_pk_batches_hold_p_categories_with_k_of_each_kind_in_step():
    sampler = PKSampler(SKETCHES, PHOTOS, categories=2, per_category=3, seed=0)
    batches = list(sampler.epoch(0))
    assert len(batches) == len(sampler) == 64 // 6
    for batch in batches:
        sketch, photo = category_of(SKETCHES, batch.sketches), category_of(PHOTOS, batch.photos)
        assert np.array_equal(sketch, photo)
        assert sorted(np.unique(sketch, return_counts=True)[1]) == [3, 3]
        assert len(set(batch.sketches.tolist())) == 6


def test_pk_with_exactly_p_categories_yields_batches():
    sampler = PKSampler(SKETCHES, PHOTOS, categories=3, per_category=2, seed=0)
    assert len(list(sampler.epoch(0))) == 64 // 6


def test_pk_with_too_few_categories_raises():
    with pytest.raises(DataError, match="3 categories have sketches and photos to train on, a batch needs 4"):
        PKSampler(SKETCHES, PHOTOS, categories=4, per_category=2, seed=0)


def test_pk_repeats_items_of_a_category_smaller_than_k():
    sampler = PKSampler(items(2, 9), items(9, 1, first=100), categories=2, per_category=4, seed=0)
    batch = next(sampler.epoch(0))
    assert np.bincount(category_of(items(2, 9), batch.sketches)).tolist() == [4, 4]
    assert len(set(batch.photos[category_of(items(9, 1, first=100), batch.photos) == 1])) == 1


def test_pk_draws_categories_in_rounds():
    many = items(*[4] * 10)
    sampler = PKSampler(many, many, categories=5, per_category=1, seed=0)
    batches = list(sampler.epoch(0))
    for first, second in zip(batches[::2], batches[1::2], strict=True):
        drawn = np.concatenate([category_of(many, first.sketches), category_of(many, second.sketches)])
        assert sorted(drawn) == list(range(10))


TRACED = np.full(64, -1)
TRACED[:30:2] = 100 + np.arange(15) % 6  # every other sketch of the first category, and some of the others
TRACED[30:34] = 106
TRACED[50:52] = [111, 112]


def traced(count: int, **options) -> PKSampler:
    settings = {"categories": 3, "per_category": 3, "seed": 0, "sketch_photo": TRACED, **options}
    return PKSampler(SKETCHES, PHOTOS, traced=count, **settings)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_traced_sketches_come_first_beside_their_photos(count):
    for batch in traced(count).epoch(0):
        sketches, photos = batch.sketches.reshape(3, 3), batch.photos.reshape(3, 3)
        assert np.array_equal(TRACED[sketches[:, :count]], photos[:, :count])
        assert np.array_equal(category_of(SKETCHES, batch.sketches), category_of(PHOTOS, batch.photos))


def test_the_free_places_still_hold_untraced_sketches_and_photos():
    batches = list(traced(1).epoch(0))
    assert (TRACED[np.concatenate([batch.sketches for batch in batches])] == -1).any()
    seen = set(np.concatenate([batch.photos for batch in batches]).tolist())
    assert seen - set(TRACED.tolist())


def test_a_category_none_of_whose_sketches_has_its_photo_is_drawn_untraced():
    lost = np.where(SKETCHES.categories == 1, -1, TRACED)
    for batch in traced(1, sketch_photo=lost).epoch(0):
        assert np.bincount(category_of(SKETCHES, batch.sketches)).tolist() == [3, 3, 3]
        assert np.array_equal(category_of(SKETCHES, batch.sketches), category_of(PHOTOS, batch.photos))


def test_a_photo_that_is_not_trained_on_does_not_count_as_traced():
    elsewhere = np.where(TRACED >= 0, 999, TRACED)
    with pytest.raises(DataError, match=r"no sketch to train on has the photo that it traces; set sampler.traced to 0"):
        traced(1, sketch_photo=elsewhere)


SOME = items(4, 4, 0, 4, 3)
OTHERS = items(4, 4, 4, 0, 0, first=100)


def test_unpaired_images_come_last_and_from_categories_that_have_only_one_kind():
    sampler = PKSampler(SOME, OTHERS, categories=2, per_category=2, unpaired=2, seed=0)
    assert sampler.batch_size == 6
    for batch in sampler.epoch(0):
        sketches, photos = category_of(SOME, batch.sketches), category_of(OTHERS, batch.photos)
        assert np.array_equal(sketches[:4], photos[:4])
        assert set(sketches[:4]) == {0, 1}
        assert sorted(sketches[4:]) == [3, 4]
        assert photos[4:].tolist() == [2, 2]


def test_a_category_that_cannot_fill_its_place_without_repeats_counts_as_unpaired():
    sketches, photos = items(4, 4, 4, 1), items(4, 4, 1, 4, first=100)
    sampler = PKSampler(sketches, photos, categories=2, per_category=2, unpaired=2, seed=0)
    for batch in sampler.epoch(0):
        assert set(category_of(sketches, batch.sketches[:4])) == {0, 1}
        assert sorted(category_of(sketches, batch.sketches[4:])) == [2, 3]
        assert sorted(category_of(photos, batch.photos[4:])) == [2, 3]


def test_unpaired_photos_are_of_any_category_if_all_have_sketches():
    sampler = PKSampler(SOME, items(4, 4, first=100), categories=2, per_category=2, unpaired=2, seed=0)
    batch = next(sampler.epoch(0))
    assert len(batch.photos) == len(batch.sketches) == 6
    assert sorted(category_of(items(4, 4, first=100), batch.photos[4:])) == [0, 1]


def test_without_unpaired_images_the_same_batches_are_drawn_as_with_paired_categories_alone():
    paired = PKSampler(items(4, 4), items(4, 4, first=100), categories=2, per_category=2, seed=3)
    union = PKSampler(SOME, OTHERS, categories=2, per_category=2, seed=3)
    for first, second in zip(paired.epoch(1), union.epoch(1), strict=True):
        assert np.array_equal(first.sketches, second.sketches)
        assert np.array_equal(first.photos, second.photos)
