"""The first contact with a broker: TLS and SASL once, and why they failed.

kafka-python tries to connect again and again, tells its log why it could not, and says at the end
only that time is over. Here one attempt is made with its own connection, and what happened is said.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from kafka import errors as kafka_errors
from kafka.net.compat import KafkaNetClient
from kafka.protocol.metadata import MetadataRequest

from stream.logs.kafka_tokens import NoTokenError

CREDENTIALS = "RIVERRUN_KAFKA_USERNAME, RIVERRUN_KAFKA_PASSWORD and sasl_mechanism"
_MILLISECONDS = 5_000
_SILENT = {
    "PLAINTEXT": "Check that this is Kafka's port and not one that wants TLS or SASL (then set "
    "security_protocol), and that the broker is not hanging",
    "SSL": "Check ssl_cafile, ssl_certfile and ssl_keyfile, and that this is Kafka's port for TLS",
    "SASL_PLAINTEXT": f"Check {CREDENTIALS}, and that the port wants SASL without TLS",
    "SASL_SSL": f"Check {CREDENTIALS}, ssl_cafile, and that the port wants SASL with TLS",
}
_EXPIRED, _NOT_YET, _HOSTNAME, _ADDRESS = 10, 9, 62, 64
"""OpenSSL's numbers of what can be wrong with a certificate; all others are about who signed it."""


def first_contact(host: str, port: int, settings: Mapping[str, Any]) -> str | None:
    """Open one session with a broker and close it; return why that failed, or None.

    Parameters
    ----------
    host, port
        Of the broker; somebody listens there.
    settings
        Of every client: protocol, TLS and SASL. Blocks for some ten seconds at most.
    """
    wanted = {name: value for name, value in settings.items() if name != "bootstrap_timeout_ms"}
    wanted |= {"bootstrap_servers": [f"{host}:{port}"], "request_timeout_ms": _MILLISECONDS}
    client = KafkaNetClient(**wanted)
    try:
        _attempt(client)
    except (kafka_errors.KafkaError, OSError, ValueError) as error:
        return _reason(error, settings["security_protocol"])
    finally:
        with suppress(kafka_errors.KafkaError, OSError):
            client.close()
    return None


def _attempt(client: Any) -> None:
    """Connect and ask one question: without it a port that wants SASL would seem to need none."""
    manager = client._manager  # noqa: SLF001
    _hear_last_words(manager)
    (node,) = manager.cluster.bootstrap_brokers()
    connection = manager.get_connection(node.node_id, pop_on_close=False)
    for future in (connection.init_future, connection.send_request(MetadataRequest(topics=[]))):
        client.poll(timeout_ms=_MILLISECONDS, future=future)
        if future.exception is not None:
            raise future.exception
        if not future.is_done:
            raise kafka_errors.KafkaTimeoutError(f"nothing came in {_MILLISECONDS / 1000:g} s")


def _hear_last_words(manager: Any) -> None:
    """Let a connection take in what came just before the broker closed it.

    A broker says why it refuses somebody and hangs up; kafka-python 3.0.12 finds the end of the
    stream in the same breath, and throws the answer away.
    """
    build = manager._build_transport  # noqa: SLF001

    async def build_patient(*args: Any, **kwargs: Any) -> Any:
        transport = await build(*args, **kwargs)
        receive = transport._sock_recv  # noqa: SLF001

        def receive_all() -> tuple[bytes, Any]:
            data, error = receive()
            return data, None if data else error  # the next look finds the end again

        transport._sock_recv = receive_all  # noqa: SLF001
        return transport

    manager._build_transport = build_patient  # noqa: SLF001


def _reason(error: BaseException, protocol: str) -> str:
    for cause in _chain(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _refused_certificate(cause)
        if isinstance(cause, ssl.SSLError):
            return _failed_tls(cause)
    return refusal(error) or (
        f"the port answers, but no session with Kafka came about over {protocol} "
        f"({type(error).__name__}: {error}). {_SILENT[protocol]}"
    )


def refusal(error: BaseException) -> str | None:
    """Return what to do where the broker does not take us for who we say we are."""
    if isinstance(error, NoTokenError):
        return str(error.args[0])
    if isinstance(error, kafka_errors.UnsupportedSaslMechanismError):
        return f"the broker does not know this sasl_mechanism ({error})"
    if isinstance(error, kafka_errors.IllegalSaslStateError):
        return f"the broker expected no SASL here ({error}): check security_protocol"
    if isinstance(error, kafka_errors.SaslAuthenticationFailedError):
        said = str(error).rpartition("SaslAuthenticationFailedError: ")[2]
        return f"the broker refuses these credentials ({said}): check {CREDENTIALS}, or the token"
    return None


def _refused_certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code == _EXPIRED:
        todo = "renew the certificate of the broker, or set this machine's clock"
    elif error.verify_code == _NOT_YET:
        todo = "set this machine's clock, or wait"
    elif error.verify_code in (_HOSTNAME, _ADDRESS):
        todo = "name the broker in stream.broker as its certificate does"
    else:
        todo = "set ssl_cafile to the PEM file of whom the broker's certificate is by"
    return f"the broker's certificate is refused ({error.verify_message}): {todo}"


def _failed_tls(error: ssl.SSLError) -> str:
    reason = (error.reason or str(error)).lower()
    if "alert" in reason:
        return (
            f"the broker refuses our certificate ({reason}): set ssl_certfile and ssl_keyfile to "
            "one that it trusts"
        )
    return f"no TLS came about ({reason}): check security_protocol, and that the port wants TLS"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        # kafka-python hands some causes over as an argument.
        inner = next((a for a in error.args if isinstance(a, BaseException)), None)
        error = inner or error.__cause__ or error.__context__
