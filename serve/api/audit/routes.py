"""``/audit``: who controlled what, and why."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from serve.api.monitoring.queries import Page, cursor_of, moment, page
from serve.api.openapi import problems
from serve.api.served_stream import ServedStream, Streams


class Action(BaseModel):
    """One control action."""

    id: int
    at: datetime | None = Field(description="When.")
    action: str = Field(
        description="`retrain`, `cancel`, `promote`, `rollback`, `import`, `labels`, "
        "`replay_dead_letters`, `key_add`, `key_revoke` or `key_rotate`."
    )
    by: str = Field(description="The key's name, the token's subject, or a user of the machine.")
    via: str = Field(description="How that is known: `key`, `session`, `oidc`, `cli`, or `open`.")
    origin: str = Field(description="The address or the machine it came from.")
    reason: str = Field(description="Why, in their words.")
    detail: dict[str, Any] = Field(description="What else belongs to it.")
    result: str = Field(description="`done`, `waiting` for the worker, or what the worker said.")
    request: int | None = Field(description="The request that was left for the worker.")


class Actions(BaseModel):
    """What people did to a stream."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "actions": [
                        {
                            "id": 7,
                            "at": "2026-11-23T14:05:00Z",
                            "action": "promote",
                            "by": "ops",
                            "via": "key",
                            "origin": "10.0.0.7",
                            "reason": "it was right after all",
                            "detail": {"version": "v2"},
                            "result": "v2 serves",
                            "request": 3,
                        }
                    ],
                    "next": None,
                }
            ]
        }
    )

    actions: list[Action] = Field(description="The newest first.")
    next: str | None = Field(description="Cursor of the next page; null on the last.")


def add_audit_routes(app: FastAPI, streams: Streams) -> None:
    """Add the route of the audit."""

    @app.get(
        "/v1/streams/{stream}/audit",
        operation_id="list_audit",
        summary="Who controlled what, and why",
        tags=["status"],
        response_model=Actions,
        responses=problems(404, 422, 503),
    )
    async def list_audit(stream: str, asked: Annotated[Page, Depends(page)]) -> Response:
        served, before = streams.find(stream), asked.after(int)
        return await served.history.answer(lambda: _actions(served, asked.limit, before))


def _actions(stream: ServedStream, limit: int, before: int | None) -> Actions:
    rows = stream.history.store.audit.entries(limit + 1, before)
    shown = [_action(row) for row in rows[:limit]]
    return Actions(actions=shown, next=cursor_of(shown[-1].id) if len(rows) > limit else None)


def _action(row: dict[str, Any]) -> Action:
    result = "done"
    if row["request"] is not None:
        result = row["outcome"] or "waiting"
    names = ("id", "action", "by", "via", "origin", "reason", "detail", "request")
    return Action(**{name: row[name] for name in names}, at=moment(row["at"]), result=result)
