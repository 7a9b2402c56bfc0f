"""Further doors of a test's broker: TLS, SASL over TLS, signed tokens, and one behind a proxy."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any, ClassVar

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.kafka.certificates import write_certificates

AUDIENCE, ISSUER = "kafka", "https://issuer.test"

_PROPERTIES = """\
listener.name.mutual.ssl.client.auth=required
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
listener.name.expired.ssl.keystore.type=PEM
listener.name.expired.ssl.keystore.location={folder}/expired.pem
listener.name.secure.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.secure.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
listener.name.secure.scram-sha-256.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.oauthbearer.sasl.jaas.config=\
org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;
listener.name.secure.oauthbearer.sasl.server.callback.handler.class=\
org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler
listener.name.secure.oauthbearer.sasl.oauthbearer.jwks.endpoint.url=file://{folder}/jwks.json
listener.name.secure.oauthbearer.sasl.oauthbearer.expected.audience={audience}
listener.name.secure.oauthbearer.sasl.oauthbearer.expected.issuer={issuer}
"""


class Doors:
    """The ports of a broker's further listeners, and what their keys are.

    Parameters
    ----------
    folder
        Where certificates and keys are written.
    ports
        Free ones, by listener: ``tls``, ``mutual``, ``expired``, ``secure`` and ``proxied``;
        clients of ``proxied`` are told to come to ``proxy``, where a test puts its proxy.
    """

    KINDS: ClassVar = {
        "tls": "SSL", "mutual": "SSL", "expired": "SSL", "secure": "SASL_SSL",
        "proxied": "PLAINTEXT",
    }  # fmt: skip

    def __init__(self, folder: Path, ports: dict[str, int]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.ports = folder.resolve(), ports
        write_certificates(self.folder)
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = self._key.public_key().public_numbers()
        key = {"kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256"}
        key |= {"n": _text(public.n), "e": _text(public.e)}
        (self.folder / "jwks.json").write_text(json.dumps({"keys": [key]}))

    @property
    def java_options(self) -> list[str]:
        """Return what lets the broker read its issuer's keys from a file."""
        allowed = f"file://{self.folder}/jwks.json"
        return [f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={allowed}"]

    def properties(self, user: str, password: str) -> str:
        """Return the lines of ``server.properties`` that open the doors."""
        return _PROPERTIES.format(
            folder=self.folder, user=user, password=password, audience=AUDIENCE, issuer=ISSUER
        )

    def listeners(self, advertised: bool = False) -> str:
        """Return what stands behind the broker's own listeners, with a comma before each."""
        ports = dict(self.ports)
        proxy = ports.pop("proxy")
        if advertised:
            ports["proxied"] = proxy
        return "".join(f",{name.upper()}://127.0.0.1:{port}" for name, port in ports.items())

    def protocols(self) -> str:
        """Return which protocol each of them speaks, with a comma before each."""
        return "".join(f",{name.upper()}:{kind}" for name, kind in self.KINDS.items())

    def url(self, name: str, host: str = "127.0.0.1") -> str:
        """Return the URL of a listener."""
        port = self.ports["proxy" if name == "proxied" else name]
        return f"kafka://{host}:{port}"

    def file(self, name: str) -> str:
        """Return the path of a file with certificates or keys."""
        return str(self.folder / name)

    def token(self, life: float = 300.0, by_stranger: bool = False, **claims: Any) -> str:
        """Return a signed token for the broker."""
        now = int(time.time())
        claims = {
            "sub": "tester", "iss": ISSUER, "aud": AUDIENCE, "scope": "kafka",
            "iat": now - 60, "exp": now + int(life),
        } | claims  # fmt: skip
        key = self._stranger if by_stranger else self._key
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return jwt.encode(claims, private, "RS256", {"kid": "one"})


def _text(number: int) -> str:
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
