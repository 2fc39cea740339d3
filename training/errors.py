"""The errors of training jobs and of the model registry."""

from experiments.errors import DomainError


class TrainingError(DomainError):
    """A training job cannot do what was asked of it."""

    reason = "TRAINING_IMPOSSIBLE"


class DatasetError(TrainingError):
    """A data set lacks a table, a column or rows that training needs."""

    reason = "DATASET_UNUSABLE"


class HeldOutRowsError(TrainingError):
    """Purchases from the held-out weeks reached a fit or an evaluation, which would make the test worthless."""

    reason = "HELD_OUT_ROWS"


class RegistryError(TrainingError):
    """The model registry does not hold what was asked for."""

    reason = "REGISTRY_LOOKUP_FAILED"
