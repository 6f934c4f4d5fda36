"""Where things are inside the pods, and at which ports they listen."""

CONFIGURATION = "/etc/aicompany"
COMPANY_FILE = "company.yaml"
SECRETS = "/etc/aicompany-secrets"
API_KEY = "api-key"
TOKEN = "token"  # noqa: S105 - the file's name
STATE = "/var/lib/aicompany"

GATEWAY_PORT = 8700
HEALTH_PORT = 8000
