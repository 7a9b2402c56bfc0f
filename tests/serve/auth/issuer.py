"""A little OpenID Connect issuer: discovery, keys, and tokens of any kind."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm


class Issuer:
    """Serves its keys over HTTP on loopback, and signs."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        self.down = False
        self.requests: list[str] = []
        self.discovery: dict[str, Any] = {}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.requests.append(self.path)
                found = issuer._answer(self.path)
                body = json.dumps(found).encode()
                self.send_response(503 if issuer.down else 200 if found else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/realm"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.add_rsa("one")

    def add_rsa(self, kid: str) -> None:
        """Sign with a new RSA key as well."""
        self.keys[kid] = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def add_ec(self, kid: str) -> None:
        """Sign with a new key on P-256 as well."""
        self.keys[kid] = ec.generate_private_key(ec.SECP256R1())

    def token(self, kid: str | None = "one", algorithm: str = "RS256", **claims: Any) -> str:
        """Return a token; claims of None are left out."""
        now = int(time.time())
        whole = {
            "iss": self.url,
            "aud": "riverrun",
            "sub": "anna",
            "iat": now,
            "exp": now + 300,
            "roles": ["ml-viewers"],
        } | claims
        return jwt.encode(
            {name: value for name, value in whole.items() if value is not None},
            self.keys[kid or "one"],
            algorithm=algorithm,
            headers=None if kid is None else {"kid": kid},
        )

    def jwks(self) -> dict[str, Any]:
        """Return the public keys."""
        rows = []
        for kid, key in self.keys.items():
            algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
            row = algorithm.to_jwk(key.public_key(), as_dict=True)
            rows.append(row | {"kid": kid, "use": "sig"})
        return {"keys": rows}

    def stop(self) -> None:
        """Let go of the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _answer(self, path: str) -> dict[str, Any] | None:
        if path == "/realm/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"} | self.discovery
        return self.jwks() if path == "/realm/jwks" else None
