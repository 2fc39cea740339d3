"""Check the protos: buf lint, and generated code equals the committed one; `python protos/check.py`."""

import filecmp
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from generate import GENERATED, PROTOS, generate, run_protoc, sources


def lint() -> bool:
    """Run buf lint over a descriptor image that protoc makes, so that buf needs no network for imports."""
    with tempfile.TemporaryDirectory() as temporary:
        image = Path(temporary) / "image.binpb"
        run_protoc("--include_imports", "--include_source_info", f"--descriptor_set_out={image}", *sources())
        buf = shutil.which("buf", path=str(Path(sys.executable).parent)) or "buf"
        paths = [argument for source in sources() for argument in ("--path", source)]
        done = subprocess.run(
            [buf, "lint", str(image), "--config", str(PROTOS / "buf.yaml"), *paths], check=False
        )
    return done.returncode == 0


def is_fresh() -> bool:
    """Generate again and compare with what is committed."""
    with tempfile.TemporaryDirectory() as temporary:
        generate(Path(temporary))
        fresh = Path(temporary) / "troth" / "v1"
        made = {path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file()}
        kept = {
            path.relative_to(GENERATED) for path in GENERATED.rglob("*.py*") if path.suffix in {".py", ".pyi"}
        }
        stale = sorted(made ^ kept) + sorted(
            path for path in made & kept if not filecmp.cmp(fresh / path, GENERATED / path, shallow=False)
        )
    for path in stale:
        sys.stderr.write(f"troth/v1/{path} is not what the sources say; run make proto\n")
    return not stale


if __name__ == "__main__":
    linted, fresh = lint(), is_fresh()
    sys.exit(0 if linted and fresh else 1)
