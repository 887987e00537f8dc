"""Users and tokens for tests: log in, make users, forge."""
import base64
import hashlib
import hmac
import json
import re


def admin_password(server):
    return re.search(r"user 'admin' has the password (\S+)", server.log.read_text()).group(1)


def bearer(token):
    return {"Authorization": "Bearer " + token}


def login(server, username, password, **more):
    return server.client("gateway").post("/auth/login", {"username": username, "password": password, **more})


def make_user(server, admin, name, *roles, password="correct horse"):
    """Tokens of a new user of the admin's tenant."""
    body = {"username": name, "password": password, "roles": list(roles)}
    server.client("gateway").request("POST", "/auth/users", body, bearer(admin)).ok(201)
    return login(server, name, password).ok().json


def unpack(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def pack(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forge(token, secret=b"x" * 32, **changes):
    """The token with other claims (head={...}: another header), signed with HS256 and `secret`."""
    header, payload, _ = token.split(".")
    head, claims = unpack(header), unpack(payload)
    head.update(changes.pop("head", {}))
    claims.update(changes)
    body = pack(head) + "." + pack(claims)
    return body + "." + pack(hmac.new(secret, body.encode(), hashlib.sha256).digest())
