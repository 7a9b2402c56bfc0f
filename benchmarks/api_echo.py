"""A bare FastAPI route that only decodes a body and sends it back, under the API's own server."""

from __future__ import annotations

import sys

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import Response

from serve.api.run_api import ApiServer, listen

app = FastAPI(docs_url=None, redoc_url=None)


@app.post("/echo")
async def echo(request: Request) -> Response:
    """Answer with what was sent."""
    found = msgspec.json.decode(await request.body())
    return Response(msgspec.json.encode(found), media_type="application/json")


if __name__ == "__main__":
    ApiServer(app, listen("127.0.0.1", int(sys.argv[1]))).run()
