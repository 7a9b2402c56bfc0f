"""Certificates made on the spot: an authority, a broker's, a client's, and ones that are wrong."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

KEY_PASSWORD = "of-the-key"
_ADDRESS = ipaddress.ip_address("127.0.0.1")


@dataclass(frozen=True)
class Authority:
    """Signs certificates."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, name: str) -> Authority:
        """Return a new one, which nobody knows yet."""
        key, subject = ec.generate_private_key(ec.SECP256R1()), _name(name)
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False,
            encipher_only=False, decipher_only=False,
        )  # fmt: skip
        built = (
            _builder(subject, subject, key, timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
        )
        return cls(subject, key, built.sign(key, hashes.SHA256()))

    def pem(self) -> bytes:
        """Return the certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(self, name: str, life: timedelta = timedelta(days=1)) -> tuple[bytes, bytes]:
        """Return key and certificate of something on 127.0.0.1; a negative life is over."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        built = (
            _builder(_name(name), self.name, key, life)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(_ADDRESS)]), critical=False)
            .add_extension(issuer, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return private, built.public_bytes(Encoding.PEM)


def write_certificates(folder: Path) -> None:
    """Write what a broker and its clients need, and what is wrong, as PEM files.

    ``broker.pem`` and ``expired.pem`` are the broker's keys and certificates, ``ca.pem`` is whom
    they are by, ``client.pem`` and ``client.key`` (and ``locked.key``, with KEY_PASSWORD) are a
    client's. ``other-ca.pem`` signed none of them but ``stranger.pem``.
    """
    authority, other = Authority.make("riverrun test"), Authority.make("somebody else")
    (folder / "ca.pem").write_bytes(authority.pem())
    (folder / "other-ca.pem").write_bytes(other.pem())
    (folder / "broker.pem").write_bytes(b"".join(authority.issue("broker")))
    (folder / "expired.pem").write_bytes(b"".join(authority.issue("old", -timedelta(hours=1))))
    (folder / "stranger.pem").write_bytes(b"".join(other.issue("stranger")))
    private, certificate = authority.issue("client")
    (folder / "client.key").write_bytes(private)
    (folder / "client.pem").write_bytes(certificate)
    (folder / "locked.key").write_bytes(_locked(private))


def _locked(private: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(private, None)
    encryption = BestAvailableEncryption(KEY_PASSWORD.encode())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, life: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + life)
    )
