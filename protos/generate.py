"""Generate troth/v1 from protos/troth/v1; `python protos/generate.py`."""

import shutil
import sys
import tempfile
from pathlib import Path

from google.api import annotations_pb2
from grpc_tools import protoc

PROTOS = Path(__file__).parent
GENERATED = PROTOS.parent / "troth" / "v1"


def include_arguments() -> list[str]:
    """Return the search path: our sources, Google's common protos, protoc's own."""
    common = Path(annotations_pb2.__file__).parents[2]
    return [f"-I{PROTOS}", f"-I{common}", f"-I{Path(protoc.__file__).parent / '_proto'}"]


def sources() -> list[str]:
    """Return our proto files, relative to the search path."""
    return sorted(str(path.relative_to(PROTOS)) for path in (PROTOS / "troth").rglob("*.proto"))


def run_protoc(*arguments: str) -> None:
    """Run protoc and stop the process with its message if it fails."""
    if protoc.main(["protoc", *include_arguments(), *arguments]) != 0:
        sys.exit("protoc refused the files above; nothing was generated")


def generate(target: Path) -> None:
    """Write the Python modules and their type stubs below the folder."""
    run_protoc(f"--python_out={target}", f"--pyi_out={target}", f"--grpc_python_out={target}", *sources())
    (target / "troth" / "v1" / "__init__.py").write_text(
        '"""Generated from protos/troth/v1 by `make proto`; never edited."""\n'
    )


def main() -> None:
    """Replace troth/v1 by what the sources say now."""
    with tempfile.TemporaryDirectory() as temporary:
        generate(Path(temporary))
        shutil.rmtree(GENERATED, ignore_errors=True)
        shutil.copytree(Path(temporary) / "troth" / "v1", GENERATED)


if __name__ == "__main__":
    main()
