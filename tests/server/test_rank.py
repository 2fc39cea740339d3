"""Choosing the best candidates, against a plain sort."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from server.decide.slate import best

_FEW_VALUES = st.sampled_from([0.0, -0.0, 0.5, 1.0, -1.0, 1e-38, 3.4e38])
_SIZES = st.integers(0, 40)


@given(st.data())
def test_best_equals_a_plain_sort(data: st.DataObject) -> None:
    """Highest score first; equal scores by popularity, then by position; at most as many as asked for."""
    size = data.draw(_SIZES)
    values = data.draw(st.sampled_from([_FEW_VALUES, st.floats(-100, 100, width=32)]))
    scores = data.draw(arrays(np.float32, size, elements=values))
    popularity = data.draw(arrays(np.float32, size, elements=_FEW_VALUES))
    count = data.draw(st.integers(1, 45))

    chosen = best(scores, popularity, count).tolist()

    reference = sorted(range(size), key=lambda place: (-scores[place], -popularity[place], place))
    assert chosen == reference[:count]


@given(_SIZES, st.integers(1, 45))
def test_all_equal_keeps_the_order(size: int, count: int) -> None:
    """Without any difference the catalogue's order decides."""
    zeros = np.zeros(size, dtype=np.float32)

    assert best(zeros, zeros, count).tolist() == list(range(min(size, count)))
