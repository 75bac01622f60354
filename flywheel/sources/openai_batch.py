"""OpenAI batch files: the requests in one file, the responses in another, in any order, joined by `custom_id`."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from flywheel.errors import Unreadable
from flywheel.kinds import Source
from flywheel.logs.exchange import as_object, moment, read_request, read_response, take_moment, take_text, to_json
from flywheel.logs.surroundings import around
from flywheel.sources.openai_chat import complete


class OpenAIBatch(Source, frozen=True):
    """Reads a line of either file as half a call; the ingest stage joins the halves.

    The request half has no time of its own: it is dated by its response. A response half carries the reply alone.
    """

    use: Literal["openai_batch"] = "openai_batch"
    gives: ClassVar[Literal["conversations", "feedback"]] = "conversations"

    def recognises(self, line: Mapping[str, Any]) -> bool:
        """A line with a custom_id and either a body or a response."""
        return "custom_id" in line and "request" not in line and ("body" in line or "response" in line)

    def read(self, line: dict[str, Any]) -> list[dict[str, Any]]:
        """One row for a request; one per choice for a response. Raises `Unreadable`: no_custom_id, no_timestamp, …"""
        rest = dict(line)
        native = take_text(rest, "custom_id")
        if native is None:
            raise Unreadable("no_custom_id", "custom_id is empty; expected the text that joins request and response")
        if "body" in rest:
            return [self._request(native, rest)]
        return self._response(native, rest)

    def _request(self, native: str, rest: dict[str, Any]) -> dict[str, Any]:
        request = read_request(as_object(rest.pop("body"), "body"))
        shared = {"native_id": native, "half": "request", **around(rest, request)}
        return complete(shared, request, {"choice": 0, "model": None, "reply": None, "metadata": to_json(rest)})

    def _response(self, native: str, rest: dict[str, Any]) -> list[dict[str, Any]]:
        response = as_object(rest.pop("response") or {}, "response")
        body = as_object(response.get("body") or {}, "body")
        if further := {k: v for k, v in response.items() if k != "body"}:
            rest["response"] = further
        when = take_moment(rest) or (moment(body["created"]) if body.get("created") is not None else None)
        if when is None:
            raise Unreadable("no_timestamp", "the response does not say when it was created")
        rows = []
        for choice in read_response(body):
            reply = choice.pop("reply")
            rows.append(
                {
                    **choice,
                    "native_id": native,
                    "half": "response",
                    "occurred_at": when,
                    "messages": [reply] if reply else [],
                    "status": "ok" if reply and not rest.get("error") else "error",
                    "metadata": to_json(rest),
                }
            )
        return rows
