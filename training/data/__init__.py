"""Data sets that offers are learned from, in one shape whatever their source."""

from training.data.dataset import OfferDataset

__all__ = ["OfferDataset"]
