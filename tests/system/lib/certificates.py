"""Certificates for tests."""

import subprocess


def make_certificate(folder, name, kind="rsa:2048"):
    """A self-signed pair for localhost; gives (certificate, key)."""
    pair = folder / f"{name}.pem", folder / f"{name}.key"
    new = ["-newkey", kind] if kind.startswith("rsa") else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subprocess.run(["openssl", "req", "-x509", *new, "-nodes", "-days", "30", "-subj", f"/CN={name}", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", pair[0], "-keyout", pair[1]],
                   check=True, capture_output=True)
    return pair
