import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from training.recommenders.warp import import_lightfm, rename_finite_symbols


def library(strings: bytes) -> bytes:
    """Build the smallest ELF-64 library with a dynamic string table and one unrelated string table before it."""
    header = bytearray(64)
    header[:6] = b"\x7fELF\x02\x01"
    other = b"\0__log_finite\0"
    sections_at = 64 + len(other) + len(strings)
    struct.pack_into("<Q", header, 0x28, sections_at)
    struct.pack_into("<HH", header, 0x3A, 64, 4)

    def section(kind: int, offset: int, size: int, link: int) -> bytes:
        entry = bytearray(64)
        struct.pack_into("<I", entry, 4, kind)
        struct.pack_into("<QQ", entry, 0x18, offset, size)
        struct.pack_into("<I", entry, 0x28, link)
        return bytes(entry)

    table = section(0, 0, 0, 0) + section(3, 64, len(other), 0)
    table += section(11, 0, 0, 3) + section(3, 64 + len(other), len(strings), 0)
    return bytes(header) + other + strings + table


def test_names_are_replaced_in_the_dynamic_string_table_only() -> None:
    """Whole names become log and exp, padded in place; longer names and other tables stay as they are."""
    before = library(b"\0__log_finite\0my__log_finite\0__exp_finite\0__log_finite_r\0")
    after = rename_finite_symbols(before)
    assert len(after) == len(before)
    assert after == library(b"\0log" + b"\0" * 10 + b"my__log_finite\0exp" + b"\0" * 10 + b"__log_finite_r\0")


def test_a_library_without_the_names_is_unchanged() -> None:
    """Builds that need no mending are left alone."""
    content = library(b"\0log\0exp\0")
    assert rename_finite_symbols(content) == content


@pytest.mark.parametrize("content", [b"", b"MZ" + b"\0" * 80, b"\x7fELF\x01\x01" + b"\0" * 80])
def test_other_files_are_refused(content: bytes) -> None:
    """Something that is not a 64-bit ELF library is not patched by guess."""
    with pytest.raises(ValueError, match="ELF"):
        rename_finite_symbols(content)


def test_lightfm_loads_and_fits() -> None:
    """The installed wheel imports on this machine, mended or not, and learns a two-block pattern."""
    lightfm = import_lightfm()
    assert import_lightfm() is lightfm
    bought = sparse.coo_matrix(np.kron(np.eye(2, dtype=np.float32), np.ones((10, 5), dtype=np.float32)))
    model = lightfm.LightFM(no_components=4, loss="warp", random_state=1)
    model.fit(bought, epochs=20, num_threads=1)
    scores = model.user_embeddings @ model.item_embeddings.T + model.item_biases
    assert scores[:10, :5].min() > scores[:10, 5:].max()


def run_python(code: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); " + code
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )


def test_importing_says_nothing(tmp_path: Path) -> None:
    """No warning about OpenMP reaches the terminal, even where every warning is an error."""
    done = run_python("from training.recommenders.warp import import_lightfm as i; i()", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_other_import_errors_are_not_hidden(tmp_path: Path) -> None:
    """Only the missing symbols are mended; any other reason for a failing import is shown."""
    (tmp_path / "lightfm").mkdir()
    (tmp_path / "lightfm" / "__init__.py").write_text("raise ImportError('no such luck')")
    done = run_python("from training.recommenders.warp import import_lightfm as i; i()", tmp_path)
    assert done.returncode == 1
    assert "no such luck" in done.stderr
