import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from sketchy.model.calibration import Calibration, _pooled, fit_calibration


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
