"""Logged OpenAI chat-completions calls: one request with its response a line, in any of the usual wrappers."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from flywheel.errors import Unreadable
from flywheel.kinds import Source
from flywheel.logs.exchange import (
    as_object,
    moment,
    native_id,
    read_request,
    read_response,
    take_text,
    to_json,
)
from flywheel.logs.surroundings import around
from flywheel.logs.usual_call import usual_row

FAILED = ("error", "failure", "failed")


class OpenAIChat(Source, frozen=True):
    """Reads `{"request": {…}, "response": {…}, …}`; every further key of the line is optional and kept.

    A call with several choices is several rows. A call that failed (no choices) is a row of status "error" that ends with
    the request's last message. The line, else the response, must say when it happened.
    """

    use: Literal["openai_chat"] = "openai_chat"
    gives: ClassVar[Literal["conversations", "feedback"]] = "conversations"

    def recognises(self, line: Mapping[str, Any]) -> bool:
        """A line with a request of its own."""
        return "request" in line

    def read(self, line: dict[str, Any]) -> list[dict[str, Any]]:
        """One row per choice. Raises `Unreadable`: no_timestamp, bad_timestamp, no_messages, bad_messages, no_role, …"""
        if (usual := usual_row(line)) is not None:
            return [usual]
        return self.read_any(line)

    def read_any(self, line: dict[str, Any]) -> list[dict[str, Any]]:
        """What `read` gives, for a line of any shape."""
        rest = dict(line)
        request = read_request(as_object(rest.pop("request"), "request"))
        response = rest.pop("response", None)
        choices = read_response({} if response is None else as_object(response, "response"))
        native = take_text(rest, "id", "request_id") or choices[0]["response_id"] or native_id(line)
        shared = {"native_id": native, **around(rest, request)}
        if shared["occurred_at"] is None:
            shared["occurred_at"] = _created(response)
        failed = take_status(rest) or choices[0]["reply"] is None
        shared |= {"status": "error" if failed else "ok", "metadata": to_json(rest)}
        return [complete(shared, request, choice) for choice in choices]


def complete(shared: Mapping[str, Any], request: Mapping[str, Any], choice: dict[str, Any]) -> dict[str, Any]:
    """The row of one choice: the messages sent and, last, the message that came back.

    `parameters` keeps the request's model where another one answered, and `"user": null` where it named `user`.
    """
    reply, model = choice.pop("reply"), choice["model"] or request["model"]
    parameters = dict(request["parameters"])
    if parameters.get("model") == model:
        parameters.pop("model", None)
    if shared["user"] is not None and parameters.get("user") == shared["user"]:
        parameters["user"] = None
    return {
        **shared,
        **choice,
        "messages": request["messages"] + ([reply] if reply else []),
        "tools": request["tools"],
        "model": model,
        "parameters": to_json(parameters),
    }


def take_status(rest: dict[str, Any]) -> bool:
    """Whether the line says that the call failed. A status in other words than ok and error stays in `rest`."""
    status = rest.get("status")
    if status in ("ok", "error"):
        del rest["status"]
    return status in FAILED


def _created(response: Any) -> dt.datetime:
    """When the server says it answered. Raises `Unreadable("no_timestamp")`."""
    created = as_object(response, "response").get("created") if response is not None else None
    if created is None:
        raise Unreadable("no_timestamp", "neither the line nor its response says when it happened")
    return moment(created)
