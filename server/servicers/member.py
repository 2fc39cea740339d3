"""The servicer of members. Each method converts, calls the handler and converts back."""

import grpc

from server.api import member as messages
from server.handlers.members import MemberHandler
from server.servicers.deadlines import seconds_left
from troth.v1 import member_service_pb2 as pb
from troth.v1 import member_service_pb2_grpc


class MemberServicer(member_service_pb2_grpc.MemberServiceServicer):
    """``troth.v1.MemberService``."""

    def __init__(self, handler: MemberHandler) -> None:
        self._handler = handler

    def UpsertMembers(  # noqa: N802 the proto's name
        self, request: pb.UpsertMembersRequest, context: grpc.ServicerContext
    ) -> pb.UpsertMembersResponse:
        """Change members, then acknowledge."""
        wanted = messages.upsert_request(request)
        result = self._handler.upsert(
            wanted.programme, wanted.updates, wanted.provenance, seconds_left(context)
        )
        return messages.upsert_response(result)

    def GetMember(  # noqa: N802 the proto's name
        self,
        request: pb.GetMemberRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.GetMemberResponse:
        """Tell what is known of a member."""
        return messages.get_response(self._handler.get(*messages.get_request(request)))

    def ListMemberChanges(  # noqa: N802 the proto's name
        self,
        request: pb.ListMemberChangesRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.ListMemberChangesResponse:
        """Return a page of the audit trail."""
        programme, member_id, page = messages.changes_request(request)
        found = self._handler.changes(programme, member_id, int(page.after or 0), page.size + 1)
        return messages.changes_response(programme, member_id, page.size, found)
