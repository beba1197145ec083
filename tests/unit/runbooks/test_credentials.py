from __future__ import annotations

import pytest

from bot.runbooks.credentials import found_in

# None of these is real. They are put together here, so that this file does not look like a leak itself.
HEX = "e93facc04764012d" + "7bfb002500d5d1a6"
LEAKS = {
    "PGPASSWORD": "PGPASSWORD=" + "hunter2 psql -h db",
    "quoted": "export PGPASSWORD='" + "hunter2'",
    "AWS secret": "AWS_SECRET_ACCESS_KEY=" + "wJalrXUtnFEMIK7MDENGbPxRfiCY",
    "AWS key id": "aws configure set aws_access_key_id AKIA" + "QYLPMN5HFIQR7XYA",
    "any token": "GITHUB_TOKEN=" + "abc123abc123",
    "bearer": "curl -H 'Authorization: Bearer " + "abcd1234efgh'",
    "basic": "Authorization: Basic " + "dXNlcjpwYXNz",
    "routing key": f'"routing_key": "{HEX}"',
    "integration key": f"PagerDuty integration: {HEX}",
    "integration url": f"curl https://events.pagerduty.com/integration/{HEX}/enqueue",
    "new integration key": "PD_ROUTING_KEY: R" + "0" * 15 + "ABCDEF0123456789",
    "REST token": "Authorization: Token token=u" + "+aB3dEfGhIjKlMnOp",
    "old REST token": "Authorization: Token token=" + "y9NbAkKc66ryYTWUXYEu",
    "Slack token": "xo" + "xb-1234567890-abcdefghijkl",
    "Slack app token": "xa" + "pp-1-A012345-67890-abcdef",
    "Slack webhook": "https://hooks.slack.com/" + "services/T000/B000/XXXX",
    "private key": "-----BEGIN OPENSSH " + "PRIVATE KEY-----",
    "connection string": "psql postgresql://app:" + "s3cret@db/orders",
    "redis url": "redis-cli -u redis://:" + "s3cret@cache:6379",
    "libpq": "psql 'host=db password=" + "hunter2'",
    "literal": "kubectl create secret generic db --from-literal=password=" + "hunter2",
    "yaml": "  password: " + "hunter2x",
    "GitHub": "git clone https://ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8@github.com/x",
    "GitHub fine-grained": "github_" + "pat_11ABCDEFG0123456789_abcdefghij",
    "Vault": "hvs." + "CAESIJlWh9abcdefgh",
}
HARMLESS = (
    "PGPASSWORD=$PGPASSWORD psql",
    'PGPASSWORD="$(vault kv get -field=password db)" psql',
    "PGPASSWORD=<password> psql",
    "PGPASSWORD=${{ database_password }} psql",
    "AWS_SECRET_ACCESS_KEY=... aws s3 ls",
    "export API_TOKEN='<token>'",
    "password: <password>",
    "password: {{ password }}",
    'password="$DB_PASSWORD"',
    'curl -H "Authorization: Bearer $TOKEN" https://api.example.com',
    "curl -H 'Authorization: Bearer <token>'",
    "curl -H 'Authorization: Bearer ${{ token }}'",
    "Bearer authentication is used; bearer tokens expire.",
    "psql postgresql://app:$PGPASSWORD@db/orders",
    "psql postgresql://app:<password>@db/orders",
    "psql postgresql://${{ database_user }}@db/orders",
    "routing_key: <routing key>",
    "Rotate the PagerDuty integration key, then the Slack token.",
    f"trace_id {HEX}",
    "kubectl get secret db -o yaml; the token is in Vault.",
    "sum by (service) (rate(http_requests_total[5m]))",
    "https://grafana.example.com:3000/d/abc?from=now-1h",
)


@pytest.mark.parametrize("name", LEAKS)
def test_what_looks_like_a_credential_is_found(name: str) -> None:
    """Each kind is found, once a line, wherever in the text it stands."""
    assert [line for line, _ in found_in(f"First.\n{LEAKS[name]}\nLast.")] == [2], name


@pytest.mark.parametrize("line", HARMLESS)
def test_a_placeholder_is_no_credential(line: str) -> None:
    """What says what to fill in, or where it comes from, may stand in a runbook."""
    assert list(found_in(line)) == []
