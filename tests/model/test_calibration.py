import json

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from sketchy.model.calibration import LEAST_PHOTOS, MISSES, Calibration, _pooled, fit_calibration, with_found


def drawn(pairs: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances, whether they are of one category, and the probability that this was drawn with."""
    generator = np.random.default_rng(seed)
    distances = generator.uniform(0, 2, pairs)
    probability = 1 / (1 + np.exp(6 * (distances - 0.7)))
    return distances, generator.uniform(size=pairs) < probability, probability


def test_the_score_is_the_probability_that_the_pairs_were_drawn_with():
    calibration = fit_calibration(*drawn(60_000)[:2])
    assert calibration is not None
    fresh, _, probability = drawn(2000, seed=1)
    error = np.array([calibration.score(distance) for distance in fresh]) - probability
    assert np.abs(error).mean() < 0.02
    assert np.abs(error).max() < 0.15


def test_a_score_never_rises_with_the_distance_and_is_never_certain():
    calibration = fit_calibration(*drawn(3000, seed=2)[:2])
    assert calibration is not None
    scores = [calibration.score(distance) for distance in np.linspace(-1, 4, 500)]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[-1] < scores[0] < 1


def test_bins_are_pooled_as_by_a_public_isotonic_regression():
    generator = np.random.default_rng(3)
    counts = generator.integers(5, 50, 40)
    hits = generator.binomial(counts, np.linspace(0.9, 0.1, 40)).astype(float)
    pooled = _pooled(counts.tolist(), hits.tolist(), np.arange(40.0).tolist())
    ours = [hit / count for count, hit, _ in pooled]
    public = IsotonicRegression(increasing=False).fit(np.arange(40), hits / counts, sample_weight=counts)
    levels = list(dict.fromkeys(public.predict(np.arange(40)).round(12)))
    np.testing.assert_allclose(ours, levels, atol=1e-9)


def test_between_the_knots_a_score_lies_on_a_line_and_beyond_them_it_is_level():
    calibration = Calibration((1.0, 2.0), (0.8, 0.2))
    assert [calibration.score(distance) for distance in (0, 1, 1.5, 2, 9)] == pytest.approx([0.8, 0.8, 0.5, 0.2, 0.2])


@pytest.mark.parametrize("relevant", [np.zeros(50, bool), np.ones(50, bool), np.zeros(0, bool)])
def test_there_must_be_something_to_tell_apart(relevant):
    assert fit_calibration(np.linspace(0, 1, len(relevant)), relevant) is None


def test_a_handful_of_pairs_is_enough():
    calibration = fit_calibration(np.array([0.1, 0.2, 0.9]), np.array([True, True, False]))
    assert calibration is not None
    assert 0 < calibration.score(0.1) < 1


PLAIN = Calibration((1.0, 2.0), (0.8, 0.2))


def searches(count: int = 2000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Least distances, numbers of photos, and whether what was drawn was found: then the distance is smaller.

    It is smaller in a larger gallery, too.
    """
    generator = np.random.default_rng(seed)
    found = generator.random(count) < 0.5
    photos = generator.integers(LEAST_PHOTOS, 2000, count)
    least = generator.normal(1.0, 0.1, count) - found * generator.uniform(0, 0.6, count) - 0.05 * np.log(photos / 300)
    return least, photos, found


def test_a_search_is_judged_as_by_a_public_logistic_regression():
    least, photos, found = searches()
    fitted = with_found(PLAIN, least, photos, found, np.ones(len(found), bool))
    features = np.stack([least, np.log(photos)], 1)
    public = LogisticRegression(C=1e6, tol=1e-8, max_iter=1000).fit(features, found)
    ours = [fitted.found(distance, count) for distance, count in zip(least, photos, strict=True)]
    np.testing.assert_allclose(ours, public.predict_proba(features)[:, 1], atol=0.01)


def test_a_photo_at_some_distance_says_less_in_a_larger_gallery():
    fitted = with_found(PLAIN, *searches(), np.ones(2000, bool))
    assert fitted.found(0.8, 100) > fitted.found(0.8, 1000) > fitted.found(0.8, 10_000)
    assert fitted.found(0.8, 0) == fitted.found(0.8, LEAST_PHOTOS)


def test_the_threshold_misses_a_share_of_the_whole_drawings_that_are_found():
    least, photos, found = searches()
    present = np.arange(len(found)) % 2 == 0
    fitted = with_found(PLAIN, least, photos, found, present)
    rows = np.flatnonzero(found & present)
    judged = np.array([fitted.found(least[row], photos[row]) for row in rows])
    assert (judged < fitted.threshold).mean() == pytest.approx(MISSES, abs=0.01)


def test_separable_searches_are_fitted_too():
    found = np.array([True, True, False, False])
    fitted = with_found(PLAIN, np.array([0.1, 0.15, 1.0, 1.1]), np.full(4, 100), found, np.ones(4, bool))
    assert np.isfinite(fitted.weights).all()
    assert fitted.found(0.1, 100) > fitted.threshold > fitted.found(1.0, 100)


@pytest.mark.parametrize("found", [np.ones(4, bool), np.zeros(4, bool)])
def test_without_both_kinds_of_searches_the_score_stays_as_it_was(found):
    assert with_found(PLAIN, np.ones(4), np.full(4, 100), found, np.ones(4, bool)) is PLAIN


def test_an_earlier_calibration_takes_every_search_for_found():
    assert (PLAIN.found(1.0, 100), PLAIN.threshold, PLAIN.score(1.0, PLAIN.found(1.0, 100))) == (1.0, 0.0, 0.8)


def test_a_calibration_without_the_number_of_photos_goes_by_the_distance_alone():
    earlier = Calibration((1.0, 2.0), (0.8, 0.2), (12.0, -10.0), 0.3)
    assert earlier.found(1.0, 100) == earlier.found(1.0, 100_000) == pytest.approx(1 / (1 + np.exp(-2)))


def test_a_score_is_no_higher_than_the_probability_that_anything_was_found():
    assert PLAIN.score(1.0, 0.5) == pytest.approx(0.4)


def test_a_calibration_is_the_same_after_a_file():
    fitted = with_found(PLAIN, *searches(), np.ones(2000, bool))
    assert Calibration.from_plain(json.loads(json.dumps(fitted.to_plain()))) == fitted
    assert Calibration.from_plain({"distances": [1.0, 2.0], "probabilities": [0.8, 0.2]}) == PLAIN


def test_a_calibration_of_a_later_version_is_refused():
    plain = PLAIN.to_plain() | {"weights": [1.0, 2.0, 3.0, 4.0]}
    with pytest.raises(ValueError, match="a calibration of another version"):
        Calibration.from_plain(plain)
