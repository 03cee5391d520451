"""An exact search, beside one matrix product and a partial sort."""

import numpy as np

from options import Options
from sketchy.retrieval.nearest import candidates, nearest_of, rough_distances, rounding_slack, squared_norms
from timing import Table, in_turns

SIZE, QUERIES = 256, 50


def measure(options: Options) -> Table:
    """Measure queries per second, of random embeddings."""
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((10_000 if options.quick else 100_000, SIZE), np.float32)
    queries = generator.standard_normal((QUERIES, SIZE), np.float32)
    norms = squared_norms(vectors)
    largest = float(norms.max())

    def search() -> None:
        for query in queries:
            rough = rough_distances(query, vectors, norms)
            rows = candidates(rough, 10, rounding_slack(query, largest))
            nearest_of(query, rows, 10, lambda chosen: vectors[chosen])

    def bare() -> None:
        for query in queries:
            scores = vectors @ query
            best = np.argpartition(scores, -10)[-10:]
            best[np.argsort(-scores[best])]

    return in_turns({"exact search": search, "matrix product and partial sort": bare}, QUERIES, options.turns)
