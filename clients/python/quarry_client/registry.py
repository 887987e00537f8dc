"""The catalog's assets and graphs, and its node registry. Thin: arguments and answers are those of
the REST operations (GET /openapi.json of the catalog service)."""

from .http import HttpClient, QuarryError, quoted
from .settings import catalog_url, token


class RegistryClient:
    def __init__(self, host=None, port=None, *, url=None, auth_token=None, timeout=30.0):
        self._http = HttpClient(url or catalog_url(host, port), auth_token or token(), timeout)

    def close(self):
        self._http.close()

    # --- assets ---

    def create_asset(self, kind, name, **fields):
        return self._http.call("POST", "/assets", {"kind": kind, "name": name, **fields})

    def get_asset(self, asset_id):
        try:
            return self._http.call("GET", "/assets/" + quoted(asset_id))
        except QuarryError as error:
            if error.status == 404:
                return None
            raise

    def list_assets(self, **filters):
        return list(self._http.pages("/assets", "assets", filters))

    def update_asset(self, asset_id, **fields):
        return self._http.call("PATCH", "/assets/" + quoted(asset_id), fields)

    def delete_asset(self, asset_id, purge=False):
        self._http.call("DELETE", "/assets/" + quoted(asset_id), query={"purge": purge})

    def lineage(self, asset_id, direction="upstream", depth=8):
        return self._http.call("GET", f"/assets/{quoted(asset_id)}/lineage",
                               query={"direction": direction, "depth": depth})["lineage"]

    def undelete_asset(self, asset_id):
        return self._http.call("POST", f"/assets/{quoted(asset_id)}/undelete")

    def relate(self, asset_id, target_id, relationship_type, properties=None):
        return self._http.call("POST", f"/assets/{quoted(asset_id)}/relations",
                               {"target_id": target_id, "relationship_type": relationship_type,
                                "properties": properties or {}})

    def relations(self, asset_id):
        return self._http.call("GET", f"/assets/{quoted(asset_id)}/relations")["relations"]

    # --- lifecycle ---

    def move_asset(self, asset_id, to, **options):
        """reason=, deprecated_by=. The answer's `issues` say what a node's step was taken without."""
        return self._http.call("POST", f"/assets/{quoted(asset_id)}/lifecycle",
                               {"to": to, **options})

    def approve(self, asset_id, to, comment=None):
        return self._http.call("POST", f"/assets/{quoted(asset_id)}/approvals",
                               {"to": to, "comment": comment})

    def announce(self, asset_id, to, reason=None):
        return self._http.call("POST", f"/assets/{quoted(asset_id)}/notices",
                               {"to": to, "reason": reason})

    def list_approvals(self, asset_id):
        return self._http.call("GET", f"/assets/{quoted(asset_id)}/approvals")["approvals"]

    def withdraw(self, asset_id, approval_id):
        self._http.call("DELETE", f"/assets/{quoted(asset_id)}/approvals/{quoted(approval_id)}")

    def list_events(self, kind):
        """All entries of one of the tenant's logs, for its admins."""
        return list(self._http.pages("/events", "events", {"kind": kind}))

    # --- nodes ---

    def register_node(self, **block):
        """metadata=DICT, yaml=TEXT or file=TEXT."""
        return self._http.call("POST", "/nodes", block)

    def get_node(self, namespace, name, version="latest"):
        return self._http.call("GET", f"/nodes/{quoted(namespace)}/{quoted(name)}/"
                                      f"{quoted(version)}")

    def list_nodes(self, **filters):
        return list(self._http.pages("/nodes", "nodes", filters))

    def pull_nodes(self, url, **options):
        """From another Quarry until everything is here; the answers of its calls."""
        answers, cursor = [], None
        while True:
            body = {"url": url, **options, **({"cursor": cursor} if cursor else {})}
            answer = self._http.call("POST", "/nodes/pull", body)
            answers.append(answer)
            cursor = answer["next_cursor"]
            if answer["complete"] or answer["stopped_by"] or not cursor:
                return answers

    def resolve(self, needs, **options):
        return self._http.call("POST", "/nodes/resolve", {"needs": list(needs), **options})

    def search(self, q="", **options):
        return self._http.call("GET", "/search", query={"q": q, **options})
