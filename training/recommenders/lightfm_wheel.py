"""Importing LightFM from the one wheel that exists for Python 3.11.

``lightfm-next`` 1.18.7 is the last release with a Linux wheel for Python 3.11; later ones have to be compiled, and a
fresh machine may have no compiler. The wheel was compiled with ``-ffast-math`` against a C library older than 2.31,
so its extension asks for ``__log_finite`` and ``__exp_finite``: entry points of glibc's mathematics library that
skip the handling of infinities. glibc 2.31 removed them for newly linked programs; what was linked against a versioned symbol
still works, but this wheel was linked without versions, so the loader says *undefined symbol* and the import fails.

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
from pathlib import Path
from types import ModuleType

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
        raise ValueError("The library is no 64-bit little-endian ELF file.")
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
