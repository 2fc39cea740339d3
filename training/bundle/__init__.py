"""The model format that a training job hands to the server: a folder of arrays with a manifest.

Both ends live here: ``write_bundle`` for training, ``open_bundle`` for serving. Nothing is pickled; the arrays are
plain ``.npy`` files that memory-map, so all workers of a server share their pages. The package needs numpy and the
standard library only.
"""

from training.bundle.action_model import ActionModel
from training.bundle.encoding import AttributeCodes
from training.bundle.files import ActionBundle, Bundle, open_action_bundle, open_bundle, write_bundle
from training.bundle.history import Profile
from training.bundle.manifest import FORMAT_VERSION, MANIFEST_NAME, BundleError, FileEntry, Manifest
from training.bundle.model import Ids, OfferModel, Task
from training.bundle.reasons import POPULAR_REASONS, Reason, ReasonCode, explain

__all__ = [
    "FORMAT_VERSION",
    "MANIFEST_NAME",
    "POPULAR_REASONS",
    "ActionBundle",
    "ActionModel",
    "AttributeCodes",
    "Bundle",
    "BundleError",
    "FileEntry",
    "Ids",
    "Manifest",
    "OfferModel",
    "Profile",
    "Reason",
    "ReasonCode",
    "Task",
    "explain",
    "open_action_bundle",
    "open_bundle",
    "write_bundle",
]
