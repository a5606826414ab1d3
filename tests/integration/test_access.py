"""Who may read what: secrets, tokens and doors of a running mesh."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import httpx
import jwt
import psutil
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.testing import open_workbench
from tests.life import ROOT, Mesh, opened, wait_until

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def mesh(backbone, tmp_path_factory):
    """A mesh on the session's Kafka, up, with 100 calls."""
    folder = tmp_path_factory.mktemp("access")
    with open_workbench(backbone, source=ROOT, folder=folder, products=["call-center"]) as bench:
        settings = {**backbone.environment(), "MESH_PROJECT": str(bench.root)}
        with opened(bench.home.path, **settings) as found:
            found.run("up")
            found.run("feed", "call-center", "--calls", "100")
            wait_until(lambda: found.has_calls(100))
            yield found


@pytest.fixture(scope="module")
def token(mesh: Mesh):
    """A good token of ada, who is granted the port."""
    return mesh.run("token", "--as", "ada").strip()


def address(mesh: Mesh, service: str = "call-center") -> str:
    return str(json.loads((mesh.home / "run" / f"{service}.json").read_text())["address"])


def ask(mesh: Mesh, token: str, path: str = "/ports/calls/rows", **arguments) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(f"{address(mesh)}{path}", headers=headers, timeout=10, **arguments)


def signed(claims: dict[str, object], key: object, algorithm: str = "EdDSA") -> str:
    return jwt.encode(claims, key, algorithm=algorithm)  # type: ignore[arg-type]  # any key


def test_a_granted_person_reads_rows_with_a_token(mesh: Mesh, token):
    answer = ask(mesh, token, params={"limit": 7})

    assert answer.status_code == 200
    document = answer.json()
    assert len(document["rows"]) == 7
    assert document["columns"][0] == "call_id"
    assert "finished-calls" in str(document["offsets"])


def test_a_token_that_another_key_has_signed_is_refused(mesh: Mesh, token):
    claims = jwt.decode(token, options={"verify_signature": False})

    answer = ask(mesh, signed(claims, Ed25519PrivateKey.generate()))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "the token is not valid" in answer.json()["detail"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"exp": 1_000_000_000}, id="expired"),
        pytest.param({"iss": "another"}, id="another issuer"),
        pytest.param({"sub": None}, id="nobody"),
        pytest.param({"exp": None}, id="for ever"),
    ],
)
def test_a_token_with_our_key_but_wrong_claims_is_refused(mesh: Mesh, token, change):
    claims = {**jwt.decode(token, options={"verify_signature": False}), **change}
    claims = {name: value for name, value in claims.items() if value is not None}
    key = (mesh.home / "access" / "token.key").read_text()

    assert ask(mesh, signed(claims, key)).status_code == 401


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_signed_by_what_everybody_knows_is_refused(mesh: Mesh, token, algorithm):
    """No signature, or the public key in the place of a shared secret."""
    import base64
    import hashlib
    import hmac

    def part(document: bytes) -> str:
        return base64.urlsafe_b64encode(document).decode().rstrip("=")

    body = token.split(".")[1]
    head = part(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    public = (mesh.home / "public" / "token.pub").read_bytes()
    mark = hmac.new(public, f"{head}.{body}".encode(), hashlib.sha256).digest()
    forged = f"{head}.{body}." + ("" if algorithm == "none" else part(mark))

    assert ask(mesh, forged).status_code == 401


@pytest.mark.parametrize("garbage", ["x", "a.b.c", "ey.ey.ey", "é" * 100, "a" * 8000])
def test_garbage_in_the_place_of_a_token_is_refused(mesh: Mesh, garbage):
    header = f"Bearer {garbage}".encode()
    answer = httpx.get(f"{address(mesh)}/ports/calls/rows", headers={b"Authorization": header})

    assert answer.status_code == 401
    assert ask(mesh, "").status_code == 401


def test_a_person_without_a_grant_is_told_in_one_line(mesh: Mesh):
    done = mesh.result("read", "calls", "--as", "mallory")

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "mallory is not granted calls" in done.stderr


def test_who_is_granted_the_masked_port_alone_reads_that_and_no_number(mesh: Mesh):
    whole = json.loads(mesh.run("read", "calls", "--all", "--json", "--as", "ada"))
    masked = json.loads(mesh.run("read", "calls-masked", "--all", "--json", "--as", "hedy"))

    numbers, hashes = ({row[1] for row in each["rows"]} for each in (whole, masked))
    assert {row[0] for row in masked["rows"]} == {row[0] for row in whole["rows"]}
    assert len(hashes) == len(numbers) > 1
    assert [each for each in numbers if each in json.dumps(masked)] == []
    assert set(whole["columns"]) - set(masked["columns"]) == {"reason"}
    assert "hedy is not granted calls" in mesh.result("read", "calls", "--as", "hedy").stderr


def test_a_port_that_is_not_there_is_refused_as_one_that_is_not_granted(mesh: Mesh):
    mallory = mesh.run("token", "--as", "mallory").strip()
    there, absent = (ask(mesh, mallory, f"/ports/{name}/rows") for name in ("calls", "salaries"))

    assert there.status_code == absent.status_code == 403
    assert there.text.replace("calls", "salaries") == absent.text


def test_a_wrong_secret_and_an_unknown_name_are_refused_alike(mesh: Mesh):
    url = f"{address(mesh, 'access')}/token"
    wrong = httpx.post(url, auth=("ada", "wrong"))
    unknown = httpx.post(url, auth=("adx", "wrong"))

    assert wrong.status_code == unknown.status_code == 401
    assert wrong.text.replace("ada", "adx") == unknown.text
    assert httpx.post(url).status_code == 401
    assert httpx.post(url, headers={"Authorization": "Basic !"}).status_code == 401


def test_a_principal_that_the_project_does_not_know_is_named(mesh: Mesh):
    said = mesh.run("read", "calls", "--as", "nobody", code=1)

    assert said.startswith("mesh: there is no principal 'nobody'")
    assert "../x" in mesh.run("read", "calls", "--as", "../x", code=1)


@pytest.mark.parametrize("limit", ["0", "-1", "10001", "x", "1e3", ""])
def test_a_limit_out_of_bounds_is_refused_with_the_bounds(mesh: Mesh, token, limit):
    answer = ask(mesh, token, params={"limit": limit})

    assert answer.status_code == 422
    assert "limit" in answer.text


def test_a_door_answers_to_what_it_has_and_nothing_else(mesh: Mesh, token):
    url = address(mesh)
    headers = {"Authorization": f"Bearer {token}"}

    assert httpx.post(f"{url}/ports/calls/rows", headers=headers).status_code == 405
    assert httpx.head(f"{url}/status").status_code == 405
    assert httpx.get(f"{url}/ports/calls").status_code == 404
    assert httpx.get(f"{url}/docs").status_code == 404
    assert httpx.get(f"{url}/ports/..%2F..%2Fetc/rows", headers=headers).status_code in (403, 404)
    assert ask(mesh, token, "/ports/calls%22%3B--/rows").status_code == 403


def test_a_huge_header_is_refused_and_the_door_goes_on(mesh: Mesh, token):
    try:
        answer = httpx.get(f"{address(mesh)}/status", headers={"X-Huge": "x" * 10_000_000})
    except httpx.HTTPError:
        pass  # it hung up, which is an answer too
    else:
        assert answer.status_code in (400, 431)
    assert ask(mesh, token).status_code == 200


def test_everything_listens_on_the_loopback_only(mesh: Mesh):
    found = [
        connection.laddr.ip
        for process in mesh.processes()
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]

    # Access, the audit log, SQL, the product and the catalogue.
    assert len(found) == 5
    assert set(found) == {"127.0.0.1"}


def test_secrets_and_tokens_are_in_no_log_no_run_file_and_no_command_line(
    mesh: Mesh, token, backbone
):
    hidden = {each.read_text().strip() for each in mesh.home.glob("principals/*/secret")}
    assert len(hidden) >= 6
    hidden |= {token, token.split(".")[2], backbone.admin.secret}
    for key in ("access/token.key", "audit/log.key"):
        hidden.add((mesh.home / key).read_text().splitlines()[1])
    places = [*mesh.home.glob("logs/*"), *mesh.home.glob("run/*")]
    assert len(places) >= 5
    texts = {str(path): path.read_text() for path in places}
    texts |= {f"pid {each.pid}": " ".join(each.cmdline()) for each in mesh.processes()}

    assert [place for place, text in texts.items() for each in hidden if each in text] == []


def test_what_is_private_can_be_read_by_its_owner_only(mesh: Mesh):
    folders = ("access", "audit", "sql", "sql/tables", "sql/copies", "principals", "run", "logs")
    private = [mesh.home, *(mesh.home / name for name in folders)]
    private += mesh.home.glob("principals/*")
    private += mesh.home.glob("products/*")
    assert {oct(mode(path)) for path in private} == {"0o700"}
    files = [*mesh.home.glob("principals/*/*"), *mesh.home.glob("access/*")]
    files += [mesh.home / "audit" / "log.key", *mesh.home.glob("audit/logs/*/*/*/*")]
    assert len(files) >= 8
    assert {oct(mode(path)) for path in files} == {"0o600"}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
