"""The servicer of catalogues. Each method converts, calls one handler and converts back."""

import grpc

from experiments.catalogue_changes import CatalogueChange
from experiments.rules import describe
from server.api import catalog as messages
from server.api.catalogue_parts import in_message_words
from server.handlers.catalogue import CatalogueHandler, Item
from server.handlers.segments import SegmentHandler
from server.servicers.deadlines import seconds_left
from troth.v1 import catalog_service_pb2 as pb
from troth.v1 import catalog_service_pb2_grpc


class CatalogServicer(catalog_service_pb2_grpc.CatalogServiceServicer):
    """``troth.v1.CatalogService``."""

    def __init__(self, catalogues: CatalogueHandler, segments: SegmentHandler) -> None:
        self._catalogues = catalogues
        self._segments = segments

    def GetCatalogue(  # noqa: N802 the proto's name
        self,
        request: pb.GetCatalogueRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.GetCatalogueResponse:
        """Return a catalogue."""
        return messages.get_response(self._catalogues.get(*messages.get_request(request)))

    def ApplyCatalogue(  # noqa: N802 the proto's name
        self, request: pb.ApplyCatalogueRequest, context: grpc.ServicerContext
    ) -> pb.ApplyCatalogueResponse:
        """Replace the whole catalogue."""
        wanted = messages.apply_request(request)
        with in_message_words():
            change = self._catalogues.apply(wanted.edit, wanted.fields, seconds_left(context))
        return pb.ApplyCatalogueResponse(change=messages.change_message(change))

    def UpsertOffer(  # noqa: N802 the proto's name
        self, request: pb.UpsertOfferRequest, context: grpc.ServicerContext
    ) -> pb.UpsertOfferResponse:
        """Put an offer in."""
        return pb.UpsertOfferResponse(change=self._upsert(Item.OFFER, request, context))

    def DeleteOffer(  # noqa: N802 the proto's name
        self, request: pb.DeleteOfferRequest, context: grpc.ServicerContext
    ) -> pb.DeleteOfferResponse:
        """Take an offer out."""
        return pb.DeleteOfferResponse(change=self._delete(Item.OFFER, request, context))

    def UpsertAction(  # noqa: N802 the proto's name
        self, request: pb.UpsertActionRequest, context: grpc.ServicerContext
    ) -> pb.UpsertActionResponse:
        """Put an action in."""
        return pb.UpsertActionResponse(change=self._upsert(Item.ACTION, request, context))

    def DeleteAction(  # noqa: N802 the proto's name
        self, request: pb.DeleteActionRequest, context: grpc.ServicerContext
    ) -> pb.DeleteActionResponse:
        """Take an action out."""
        return pb.DeleteActionResponse(change=self._delete(Item.ACTION, request, context))

    def UpsertSegment(  # noqa: N802 the proto's name
        self, request: pb.UpsertSegmentRequest, context: grpc.ServicerContext
    ) -> pb.UpsertSegmentResponse:
        """Put a segment in."""
        return pb.UpsertSegmentResponse(change=self._upsert(Item.SEGMENT, request, context))

    def DeleteSegment(  # noqa: N802 the proto's name
        self, request: pb.DeleteSegmentRequest, context: grpc.ServicerContext
    ) -> pb.DeleteSegmentResponse:
        """Take a segment out."""
        return pb.DeleteSegmentResponse(change=self._delete(Item.SEGMENT, request, context))

    def ListOffers(  # noqa: N802 the proto's name
        self,
        request: pb.ListOffersRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.ListOffersResponse:
        """Return a page of offers."""
        programme, page = messages.list_request(request, Item.OFFER.listing)
        found = self._catalogues.listing(programme, Item.OFFER, page.after, page.size + 1)
        return messages.items_response(pb.ListOffersResponse(), Item.OFFER, programme, page, found)

    def ListActions(  # noqa: N802 the proto's name
        self,
        request: pb.ListActionsRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.ListActionsResponse:
        """Return a page of actions."""
        programme, page = messages.list_request(request, Item.ACTION.listing)
        found = self._catalogues.listing(programme, Item.ACTION, page.after, page.size + 1)
        return messages.items_response(pb.ListActionsResponse(), Item.ACTION, programme, page, found)

    def ListSegments(  # noqa: N802 the proto's name
        self,
        request: pb.ListSegmentsRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.ListSegmentsResponse:
        """Return a page of segments."""
        programme, page = messages.list_request(request, Item.SEGMENT.listing)
        found = self._catalogues.listing(programme, Item.SEGMENT, page.after, page.size + 1)
        return messages.items_response(pb.ListSegmentsResponse(), Item.SEGMENT, programme, page, found)

    def ListCatalogueChanges(  # noqa: N802 the proto's name
        self,
        request: pb.ListCatalogueChangesRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.ListCatalogueChangesResponse:
        """Return a page of the audit trail."""
        programme, page = messages.list_request(request, "changes")
        found = self._catalogues.changes(programme, int(page.after or 0), page.size + 1)
        return messages.changes_response(programme, page, found)

    def MeasureSegment(  # noqa: N802 the proto's name
        self,
        request: pb.MeasureSegmentRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.MeasureSegmentResponse:
        """Count members."""
        size, rule = self._segments.measure(*messages.measure_request(request))
        return messages.measure_response(size, describe(rule))

    def _upsert(
        self,
        item: Item,
        request: pb.UpsertOfferRequest | pb.UpsertActionRequest | pb.UpsertSegmentRequest,
        context: grpc.ServicerContext,
    ) -> pb.CatalogueChange:
        wanted = messages.upsert_request(request, item)
        with in_message_words():
            change = self._catalogues.upsert(wanted.edit, item, wanted.fields, seconds_left(context))
        return messages.change_message(change)

    def _delete(
        self,
        item: Item,
        request: pb.DeleteOfferRequest | pb.DeleteActionRequest | pb.DeleteSegmentRequest,
        context: grpc.ServicerContext,
    ) -> pb.CatalogueChange:
        edit, item_id = messages.delete_request(request, item)
        with in_message_words():
            change: CatalogueChange = self._catalogues.delete(edit, item, item_id, seconds_left(context))
        return messages.change_message(change)
