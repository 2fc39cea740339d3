"""From associations between products to a scorer of offers, dense where it fits and pruned where it does not."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from scipy import sparse

from training.bundle.scorers import Linear, Weighting
from training.data.purchases import FitData

DENSE_CELLS = 4_000 * 4_000
"""Most cells (products × offers) of a dense scorer: 64 MB, which a server still reads quickly."""

DENSE_GAIN = 16
"""Times that adding up an entry of a dense row is faster than one of a sparse row."""

KEPT = 256
"""Entries per product that a pruned scorer keeps, the largest by magnitude."""

BLOCK = 512
"""Rows that are worked on at a time, which bounds the memory."""

Floats = npt.NDArray[np.floating]


def fits_dense(data: FitData) -> bool:
    """Tell whether a scorer of this data is dense."""
    return data.history.product_count * data.covers.offer_count <= DENSE_CELLS


def linear_from_blocks(data: FitData, weighting: Weighting, blocks: Iterable[Floats]) -> Linear:
    """Make a scorer of associations that come as dense rows.

    Args:
        data: What they were learned from.
        weighting: How much a pair weighs when a history is scored.
        blocks: float[rows, products] one after the other, for all products in order.

    Returns:
        The scorer: dense where it fits into memory, else with the largest entries of each row.
    """
    onto_offers = (np.asarray(data.columns_onto_offers(block)) for block in blocks)
    if fits_dense(data):
        dense = np.zeros((data.history.product_count, data.covers.offer_count), np.float32)
        start = 0
        for block in onto_offers:
            dense[start : start + len(block)] = block
            start += len(block)
        return Linear(weighting, data.covers.offer_count, dense=dense)
    return _linear(data, weighting, sparse.vstack([pruned(block) for block in onto_offers], format="csr"))


def linear_from_sparse(data: FitData, weighting: Weighting, associations: sparse.csr_matrix) -> Linear:
    """Make a scorer of sparse associations.

    Args:
        data: What was known up to a moment.
        weighting: How much a purchase weighs by its age.
        associations: float[products, products].

    Returns:
        The scorer: dense where that fits into memory and saves time, else sparse.
    """
    rows = sparse.csr_matrix(data.columns_onto_offers(associations))
    if fits_dense(data) and rows.nnz * DENSE_GAIN > rows.shape[0] * rows.shape[1]:
        return Linear(weighting, data.covers.offer_count, dense=rows.toarray().astype(np.float32))
    return _linear(data, weighting, rows)


def pruned(rows: Floats) -> sparse.csr_matrix:
    """Keep the largest entries of each row by magnitude."""
    count, width = rows.shape
    if width <= KEPT:
        return sparse.csr_matrix(rows, dtype=np.float32)
    kept = np.argpartition(np.abs(rows), width - KEPT, axis=1)[:, width - KEPT :]
    kept.sort(axis=1)
    values = np.take_along_axis(rows, kept, axis=1).astype(np.float32)
    indptr = np.arange(0, count * KEPT + 1, KEPT)
    found = sparse.csr_matrix((values.ravel(), kept.ravel(), indptr), shape=rows.shape)
    found.eliminate_zeros()
    return found


def pruned_sparse(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    """Keep the largest entries of each row by magnitude, of rows that are sparse before."""
    kept = np.ones(rows.nnz, bool)
    for row in np.flatnonzero(np.diff(rows.indptr) > KEPT):
        part = slice(rows.indptr[row], rows.indptr[row + 1])
        magnitudes = np.abs(rows.data[part])
        kept[part][np.argpartition(magnitudes, len(magnitudes) - KEPT)[:-KEPT]] = False
    indptr = np.concatenate([[0], np.cumsum(kept)])[rows.indptr]
    found = sparse.csr_matrix(
        (rows.data[kept].astype(np.float32), rows.indices[kept], indptr), shape=rows.shape
    )
    # Sorted last, when there is little left to sort.
    found.sort_indices()
    return found


def nearest(columns: sparse.csr_matrix, count: int, *, threads: int) -> sparse.csr_matrix:
    """Find the largest inner products of each column with all columns, itself among them.

    Args:
        columns: float[anything, n].
        count: Entries kept per row.
        threads: Threads that may be used; each row is one thread's work, so the result does not depend on them.

    Returns:
        float64[n, n], sparse, at most ``count`` entries per row.
    """
    from implicit.nearest_neighbours import all_pairs_knn

    if columns.nnz == 0:
        return sparse.csr_matrix((columns.shape[1], columns.shape[1]))
    found = all_pairs_knn(
        sparse.csr_matrix(columns, dtype=np.float64), count, show_progress=False, num_threads=threads
    )
    return sparse.csr_matrix(found)


def nearest_among(
    rows: sparse.csr_matrix, chosen: npt.NDArray[np.int64], count: int, *, threads: int
) -> sparse.csr_matrix:
    """Find the largest inner products of each row with chosen rows, itself not among them.

    Args:
        rows: float64[n, anything].
        chosen: Positions of rows, ascending.
        count: Entries kept per row.
        threads: Threads that may be used; each row is one thread's work, so the result does not depend on them.

    Returns:
        float64[n, n], sparse, at most ``count`` entries per row.
    """
    from implicit.nearest_neighbours import NearestNeighboursScorer

    columns = sparse.csr_matrix(rows[chosen].T)
    # The search sizes its buffers by the rows and writes to them by the columns.
    columns.resize((max(columns.shape), max(columns.shape)))
    is_chosen = np.zeros(rows.shape[0], bool)
    is_chosen[chosen] = True

    def search(block: slice) -> sparse.csr_matrix:
        scorer = NearestNeighboursScorer(columns)
        indices, data, lengths = [], [], []
        for row in range(block.start, block.stop):
            own = slice(rows.indptr[row], rows.indptr[row + 1])
            ends = np.array([0, own.stop - own.start], np.int32)
            found, products = scorer.recommend(
                ends,
                rows.indices[own],
                rows.data[own],
                K=count + int(is_chosen[row]),
                remove_own_likes=False,
            )
            others = chosen[found] != row
            indices.append(chosen[found[others]][:count])
            data.append(products[others][:count])
            lengths.append(len(indices[-1]))
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        shape = (len(lengths), rows.shape[0])
        return sparse.csr_matrix((np.concatenate(data), np.concatenate(indices), indptr), shape=shape)

    with ThreadPoolExecutor(threads) as pool:
        return sparse.csr_matrix(
            sparse.vstack(list(pool.map(search, blocks_of(rows.shape[0]))), format="csr")
        )


def without_diagonal(associations: sparse.csr_matrix) -> sparse.csr_matrix:
    """Leave out what links something to itself."""
    entries = sparse.coo_matrix(associations)
    others = entries.row != entries.col
    return sparse.csr_matrix(
        (entries.data[others], (entries.row[others], entries.col[others])), shape=associations.shape
    )


def scaled(
    values: sparse.csr_matrix, rows: Floats | None = None, columns: Floats | None = None
) -> sparse.csr_matrix:
    """Scale rows and columns: ``diag(rows) @ values @ diag(columns)``.

    Args:
        values: float[n, m].
        rows: float64[n]; all 1 if ``None``.
        columns: float64[m]; all 1 if ``None``.

    Returns:
        float64[n, m], sparse.
    """
    product = sparse.csr_matrix(values, dtype=np.float64)
    if rows is not None:
        product = sparse.diags_array(rows) @ product
    if columns is not None:
        product = product @ sparse.diags_array(columns)
    return sparse.csr_matrix(product)


def power(sums: Floats, exponent: float) -> npt.NDArray[np.float64]:
    """Return ``sums ** exponent``, and 0 where a sum is 0: what nobody bought takes no part."""
    found = np.zeros(len(sums))
    np.power(sums, exponent, out=found, where=sums > 0)
    return found


def blocks_of(count: int) -> Iterator[slice]:
    """Return slices that cover ``range(count)``."""
    return (slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK))


def _linear(data: FitData, weighting: Weighting, rows: sparse.csr_matrix) -> Linear:
    rows.sum_duplicates()
    return Linear(
        weighting,
        data.covers.offer_count,
        indptr=rows.indptr.astype(np.int64),
        indices=rows.indices.astype(np.int32),
        data=rows.data.astype(np.float32),
    )
