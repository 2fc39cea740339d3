"""LightFM: factors of members, products and their attributes, trained by a ranking loss.

``import_lightfm`` loads the only Linux build for Python 3.11, ``lightfm-next`` 1.18.7; later releases have to be compiled,
and a fresh machine may have no compiler. The build was compiled with ``-ffast-math`` against a C library older than 2.31,
so its extension asks for ``__log_finite`` and ``__exp_finite``: entry points of glibc's mathematics library that
skip the handling of infinities. glibc 2.31 removed them for newly linked programs. Programs linked against a versioned
symbol still work, but this build was linked without versions, so the loader reports an *undefined symbol* and the import
fails.

The two functions equal ``log`` and ``exp`` for finite arguments. So when, and only when, the plain import fails for
this reason, the extension is copied to a temporary folder, the two names in the copy's dynamic string table are
replaced by ``log`` and ``exp`` (shorter, padded with NULs, so nothing moves), and the copy is loaded under the
extension's own name. Nothing installed is changed. Where LightFM imports as it is, none of this runs.
"""

import importlib
import importlib.machinery
import importlib.util
import struct
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from training.bundle.scorers import Factors, Weighting
from training.data.purchases import FitData
from training.recommenders.base import Recommender, SettingsTrial, check_weighting
from training.recommenders.factorisation import factor_scorer, no_factors, passes

_EXTENSION = "lightfm._lightfm_fast_openmp"
_RENAMED = {b"__log_finite": b"log", b"__exp_finite": b"exp"}
_DYNAMIC_SYMBOLS = 11  # SHT_DYNSYM of the ELF format


def import_lightfm() -> ModuleType:
    """Return the module ``lightfm``, mended in memory if its wheel needs it.

    Raises:
        ImportError: LightFM is not installed or fails to import for another reason.
    """
    if "lightfm" in sys.modules:
        return sys.modules["lightfm"]
    with warnings.catch_warnings():
        # The first attempt falls back to a module the wheel does not have, and warns about missing OpenMP.
        warnings.filterwarnings("ignore", message="LightFM was compiled without OpenMP", category=UserWarning)
        try:
            return importlib.import_module("lightfm")
        except ImportError as error:
            if not _is_missing_finite_symbol(error):
                raise
        _forget_lightfm()
        _load_mended_extension()
        return importlib.import_module("lightfm")


def rename_finite_symbols(library: bytes) -> bytes:
    """Replace the two removed names in the dynamic string table of an ELF library.

    Args:
        library: Content of a 64-bit little-endian shared library.

    Returns:
        Content of the same length; unchanged where the names do not occur.

    Raises:
        ValueError: The content is no such library.
    """
    start, size = _dynamic_strings(library)
    table = library[start : start + size]
    for old, new in _RENAMED.items():
        # With the NULs on both sides only a whole name matches, never the end of a longer one.
        table = table.replace(b"\0" + old + b"\0", b"\0" + new.ljust(len(old), b"\0") + b"\0")
    return library[:start] + table + library[start + size :]


def _dynamic_strings(library: bytes) -> tuple[int, int]:
    """Return offset and size of the string table of the dynamic symbols (ELF-64 specification, section headers)."""
    if library[:6] != b"\x7fELF\x02\x01":
        raise ValueError("The library is not a 64-bit little-endian ELF file.")
    (sections,) = struct.unpack_from("<Q", library, 0x28)
    entry_size, count = struct.unpack_from("<HH", library, 0x3A)
    for index in range(count):
        header = sections + index * entry_size
        (kind,) = struct.unpack_from("<I", library, header + 4)
        if kind == _DYNAMIC_SYMBOLS:
            (link,) = struct.unpack_from("<I", library, header + 0x28)
            offset, size = struct.unpack_from("<QQ", library, sections + link * entry_size + 0x18)
            return offset, size
    raise ValueError("The library has no dynamic symbols.")


def _is_missing_finite_symbol(error: BaseException) -> bool:
    """Tell whether a removed name is behind an import error: it stands in the error that led to the last one."""
    cause: BaseException | None = error
    while cause is not None:
        if any(name.decode() in str(cause) for name in _RENAMED):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _forget_lightfm() -> None:
    """Drop the half-imported modules of the failed attempt, which would otherwise be found again."""
    for name in [name for name in sys.modules if name == "lightfm" or name.startswith("lightfm.")]:
        del sys.modules[name]


def _load_mended_extension() -> None:
    package = importlib.util.find_spec("lightfm")
    if package is None or not package.submodule_search_locations:
        raise ImportError("The package lightfm is not installed.")
    folder = Path(package.submodule_search_locations[0])
    original = next(folder.glob("_lightfm_fast_openmp*.so"), None)
    if original is None:
        raise ImportError(f"The package lightfm in {folder} has no compiled extension.")
    with tempfile.TemporaryDirectory(prefix="lightfm-") as temporary:
        # The extension looks for its own OpenMP runtime in a folder beside the package.
        mended = Path(temporary) / "lightfm" / original.name
        mended.parent.mkdir()
        for libraries in folder.parent.glob("lightfm*.libs"):
            (Path(temporary) / libraries.name).symlink_to(libraries)
        mended.write_bytes(rename_finite_symbols(original.read_bytes()))
        loader = importlib.machinery.ExtensionFileLoader(_EXTENSION, str(mended))
        spec = importlib.util.spec_from_file_location(_EXTENSION, mended, loader=loader)
        if spec is None:
            raise ImportError(f"The extension {mended.name} cannot be loaded.")
        # The mapping stays valid after the file is gone.
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
    sys.modules[_EXTENSION] = module


LOSSES = ("warp", "bpr")
MAX_STEPS = 80_000_000
"""Most steps of a fit, which are passes × pairs of member and product: minutes, where more passes would take hours."""


@dataclass(frozen=True)
class Warp(Recommender):
    """Factors trained by WARP, the weighted approximate-rank pairwise loss, from LightFM.

    WARP after Weston, Bengio and Usunier, *WSABIE: Scaling Up To Large Vocabulary Image Annotation*, 2011; LightFM after Kula,
    *Metadata Embeddings for User and Item Cold-start Recommendations*, 2015.

    A member is the mean of the factors of what is known of the member: the member's own, and those of the attributes
    where there are any; so is a product. The means are taken once after the fit, so serving is an inner product.

    Attributes:
        loss: ``warp``, or ``bpr`` for Bayesian personalised ranking as LightFM trains it.
        factors: Number of factors.
        learning_rate: Initial step size of Adagrad.
        epochs: Passes over the purchases; fewer where they would be more than ``MAX_STEPS`` steps.
        regularisation: L2 weight on members and products.
        weighting: How much a pair weighs in the loss.
    """

    name: ClassVar[str] = "warp"
    summary: ClassVar[str] = "Factors of members, products and attributes trained on the ranking (LightFM)."
    slow: ClassVar[bool] = True
    descent: ClassVar[bool] = True

    loss: str = "warp"
    factors: int = 64
    learning_rate: float = 0.02
    epochs: int = 30
    regularisation: float = 0.0
    weighting: Weighting = "log"

    def __post_init__(self) -> None:
        check_weighting(self.weighting)
        if self.loss not in LOSSES:
            raise ValueError(f"loss == {self.loss!r}, must be one of {', '.join(LOSSES)}.")

    @classmethod
    def suggest(cls, trial: SettingsTrial) -> Self:
        """Return settings; BPR is left out, as WARP was better wherever both were tried."""
        return cls(
            factors=trial.suggest_int("factors", 16, 128, log=True),
            learning_rate=trial.suggest_float("learning_rate", 0.005, 0.1, log=True),
            epochs=trial.suggest_int("epochs", 5, 60, log=True),
            regularisation=trial.suggest_categorical("regularisation", (0.0, 1e-6, 1e-5, 1e-4)),
            weighting=trial.suggest_categorical("weighting", ("binary", "log")),
        )

    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> Factors:
        """Descend in one thread: with two, updates race and no two fits are alike. See ``Recommender.fit``."""
        del threads
        weights = data.matrix(self.weighting)
        if weights.nnz == 0:
            return no_factors(data)
        members = features(data.member_attributes, weights.shape[0])
        products = features(data.product_attributes, weights.shape[1])
        bought = sparse.coo_matrix(weights)
        positive = sparse.coo_matrix((np.ones_like(bought.data), bought.coords), shape=bought.shape)
        model = import_lightfm().LightFM(
            no_components=self.factors,
            loss=self.loss,
            learning_rate=self.learning_rate,
            item_alpha=self.regularisation,
            user_alpha=self.regularisation,
            random_state=seed,
        )
        model.fit(
            positive,
            user_features=members,
            item_features=products,
            sample_weight=None if self.weighting == "binary" else bought,
            epochs=passes(self.epochs, weights.nnz, MAX_STEPS),
            num_threads=1,
        )
        # Who bought nothing still has the random start, and what nobody bought was only ever drawn as a negative.
        members = known(members, np.diff(weights.indptr) > 0)
        sold = weights.getnnz(axis=0) > 0
        if data.product_attributes is not None:
            products = known(products, sold | (data.product_attributes.getnnz(axis=1) == 0))
        return factor_scorer(
            data,
            products @ model.item_embeddings,
            products @ model.item_biases,
            member_factors=members @ model.user_embeddings,
        )


def features(attributes: sparse.csr_matrix | None, count: int) -> sparse.csr_matrix:
    """Return float32[count, count + values]: itself and its attributes, as shares of 1.

    LightFM's own ``Dataset`` builds the same: an identity beside the attributes, each row normalised.
    """
    itself = sparse.identity(count, dtype=np.float32, format="csr")
    if attributes is None:
        return itself
    both = sparse.hstack([itself, attributes], format="csr", dtype=np.float32)
    return _shares(both)


def known(rows: sparse.csr_matrix, active: npt.NDArray[np.bool]) -> sparse.csr_matrix:
    """Leave out the own factors of those that are not active: their attributes speak for them, if they have any.

    Args:
        rows: float32[count, count + values], as ``features`` returns them.
        active: bool[count].
    """
    if active.all():
        return rows
    count = len(active)
    itself = sparse.diags_array(active.astype(np.float32), format="csr") @ rows[:, :count]
    return _shares(sparse.hstack([itself, rows[:, count:]], format="csr", dtype=np.float32))


def _shares(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    sums = np.asarray(abs(rows).sum(axis=1)).ravel()
    scale = np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)
    return sparse.csr_matrix(sparse.diags_array(scale.astype(np.float32)) @ rows, dtype=np.float32)
