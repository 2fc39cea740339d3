"""The model format that a training job hands to the server: a folder of arrays with a manifest.

Both ends live here: ``write_bundle`` for training, ``open_bundle`` for serving. Nothing is pickled; the arrays are
plain ``.npy`` files that memory-map, so all workers of a server share their pages. The package needs numpy and the
standard library only.
"""

from training.bundle.errors import BundleError
from training.bundle.manifest import FORMAT_VERSION, MANIFEST_NAME, FileEntry, Manifest
from training.bundle.model import Factors, OfferModel, PersonalScores
from training.bundle.read import Bundle, open_bundle
from training.bundle.write import write_bundle

__all__ = [
    "FORMAT_VERSION",
    "MANIFEST_NAME",
    "Bundle",
    "BundleError",
    "Factors",
    "FileEntry",
    "Manifest",
    "OfferModel",
    "PersonalScores",
    "open_bundle",
    "write_bundle",
]
