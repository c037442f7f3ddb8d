"""TLS for a cluster: a throw-away authority, a certificate for every node, and both ends' checks.

Only TLS 1.3 is spoken on the data ports (gRPC chooses the newest that both ends know, which is the
same). The authority's key and the nodes' are made at each start and are in memory, or where whoever
runs nodes by hand has put them (`Authority.save`, readable by their owner only).
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import ssl
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfslab.core.errors import InvalidOption

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

LIVES_DAYS = 365
LOOPBACK = ("127.0.0.1", "::1", "localhost")
CA_FILE, CA_KEY_FILE = "ca.pem", "ca-key.pem"


@dataclass(frozen=True)
class NodeTls:
    """What a node shows and checks, in PEM: the authority's certificate, its own, and its own key."""

    ca: bytes
    certificate: bytes
    key: bytes = field(repr=False)


class Authority:
    """The authority of one cluster, which vouches for its nodes.

    Parameters
    ----------
    certificate, key : bytes, optional
        Of an authority that was saved, in PEM; by default a new one is made.

    Raises
    ------
    ValueError
        These are no certificate and key.
    """

    def __init__(self, certificate: bytes = b"", key: bytes = b"") -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization

        if certificate:
            self._certificate = x509.load_pem_x509_certificate(certificate)
            loaded: Any = serialization.load_pem_private_key(key, None)
            self._key: EllipticCurvePrivateKey = loaded
        else:
            self._key = _new_key()
            name = _name("dfslab throw-away authority")
            builder = _builder(name, name, self._key)
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            self._certificate = builder.sign(self._key, _sha256())
        self.ca = _pem(self._certificate)

    def node(self, name: str, hosts: Iterable[str]) -> NodeTls:
        """Return what a node needs that is reached at these hosts, and at this machine's loopback."""
        from cryptography import x509

        key = _new_key()
        names = [_general_name(host) for host in dict.fromkeys([*LOOPBACK, *hosts]) if host]
        builder = _builder(_name(name), self._certificate.subject, key)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        return NodeTls(self.ca, _pem(builder.sign(self._key, _sha256())), _key_pem(key))

    def save(self, folder: Path) -> Path:
        """Write the certificate and, for its owner only, the key; return the certificate's path."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(folder / CA_KEY_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(_key_pem(self._key))
        (folder / CA_FILE).write_bytes(self.ca)
        return folder / CA_FILE

    @classmethod
    def of(cls, folder: Path) -> Authority:
        """Return the authority that was saved in a folder, or make one there.

        Raises
        ------
        InvalidOption
            What is there is none.
        """
        try:
            if (folder / CA_KEY_FILE).exists():
                return cls((folder / CA_FILE).read_bytes(), (folder / CA_KEY_FILE).read_bytes())
            authority = cls()
            authority.save(folder)
        except (OSError, ValueError) as error:
            raise InvalidOption(option="tls", value=repr(str(folder)), reason=str(error)) from None
        return authority


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _sha256() -> Any:
    from cryptography.hazmat.primitives import hashes

    return hashes.SHA256()


def _name(text: str) -> x509.Name:
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text[:64])])


def _general_name(host: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(name: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    """Return a certificate to be; it is good from a day ago, because machines' calendars differ."""
    from cryptography import x509

    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=LIVES_DAYS))
    )


def _pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    pkcs8 = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, pkcs8, serialization.NoEncryption())


# -- both ends of a data connection -------------------------------------------------------------


def server_context(tls: NodeTls) -> ssl.SSLContext:
    """Return how a data port speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # sessions are not resumed: connections are kept instead
    with tempfile.NamedTemporaryFile(prefix="dfslab-", suffix=".pem") as file:  # mode 0600, and gone at once
        file.write(tls.certificate + tls.key)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def client_context(ca: bytes) -> ssl.SSLContext:
    """Return how a caller checks a data port: its certificate is the authority's, and for the host that was meant."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=ca.decode("ascii"))
    return context


def check_ca(ca: str | os.PathLike[str] | bytes | None) -> bytes | None:
    """Return an authority's certificate, given as PEM or as the path of a file; raise InvalidOption if it is none."""
    if ca is None:
        return None
    try:
        pem = ca if isinstance(ca, bytes) else Path(ca).read_bytes()
        client_context(pem)
    except (OSError, ValueError, TypeError) as error:  # an SSLError is an OSError
        reason = f"it must be the cluster's ca, or a file with it ({getattr(error, 'strerror', None) or error})"
        value = "bytes" if isinstance(ca, bytes) else repr(str(ca))
        raise InvalidOption(option="ca", value=value, reason=reason) from None
    return pem


def speaks_tls(host: str, port: int, timeout_s: float) -> bool:
    """Return True when whoever listens there answers a TLS greeting: told apart, for the words of an error only."""
    import socket

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        contextlib.suppress(OSError),
        socket.create_connection((host, port), timeout_s) as sock,
        context.wrap_socket(sock),
    ):
        return True
    return False
