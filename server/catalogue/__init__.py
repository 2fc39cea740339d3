"""Offers and placements: what there is to decide about."""

from server.catalogue.load import dump_catalogue, load_catalogue
from server.catalogue.model import Catalogue, Money, Offer, Placement

__all__ = ["Catalogue", "Money", "Offer", "Placement", "dump_catalogue", "load_catalogue"]
