import polars as pl
import pytest

from flywheel.edits.redact_secret import RedactSecret

SECRET = b"k" * 32


def rewritten(text: str) -> str:
    return pl.DataFrame({"text": [text]}).select(RedactSecret().rewrite(pl.col("text"), SECRET)).item()


FOUND = [
    ("key: ", "sk-test75b0f0bd1f46b7e36b9c728756ceeac6", "."),
    ("OPENAI_API_KEY=", "sk-proj-abc_DEF-0123456789abcdefgh", ""),
    ("", "AKIAIOSFODNN7EXAMPLE", " is mine"),
    ("token ", "ghp_" + "a1B2" * 9, ""),
    ("", "github_pat_" + "a1B2" * 6, ""),
    ("", "xoxb-123456789012-abcdef", ""),
    ("", "AIza" + "a1B2c" * 7, ""),
    ("", "hf_" + "aB" * 17, ""),
    ("Authorization: Bearer ", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkw.dozjgNryP4J3jVmNHl0w", ""),
    ("Bearer ", "a1B2c3D4e5F6g7H8i9J0k1L2", ""),
    ('{"api_key": "', "0123456789abcdef0123456789abcdef", '"}'),
    ("client_secret='", "Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZg/+==", "'"),
    ("", "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA75b0\n+/=\n-----END RSA PRIVATE KEY-----", "\n"),
    ('{"pem": "', "-----BEGIN PRIVATE KEY-----\\nMIIEowIBAAKCAQEA75b0\\n-----END PRIVATE KEY-----", '\\n"}'),
]
FOUND += [
    ("postgres://", "app:hunter2!x", "@db.internal:5432/main"),
    ("DATABASE_URL=mongodb+srv://", "root:Zx9%40aa", "@cluster0.example.net/?w=1"),
    ("redis://", ":s3cr3tpw", "@10.0.0.1:6379"),
    ("AccountKey=", "a1B2" * 21 + "cd==", ";EndpointSuffix=x"),
    ("AWS_SECRET_ACCESS_KEY=", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1a2", ""),
    ("", "glpat-" + "a1B2c" * 4, ""),
    ("", "SG." + "a1B2" * 5 + "." + "c3D4" * 8, ""),
    ("", "npm_" + "a1B2" * 9, ""),
    ("bot ", "123456789:AA" + "a1B" * 11, ""),
    ("https://", "hooks.slack.com/services/T0123ABCD/B0123ABCD/" + "a1B2" * 6, ""),
    ("db_password: ", "Tr0ub4dor3xYzAbCdEf12", ""),
]
FOUND.append(
    (
        "",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0123\n\nMIIEowIBAAKCAQEA75b0\n"
        "-----END RSA PRIVATE KEY-----",
        "",
    )
)
LEFT = [
    "sk-learn and sk-short",
    "key: value",
    "token = get_authentication_token_from_request(request)",
    "primary key: some_long_identifier_without_digits_in_it",
    "password: hunter2",
    "sha256 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "commit 356a192b7913b04c54574d18c28d46e6395428ab",
    "risk-management-and-other-long-words",
    "-----BEGIN PUBLIC KEY-----\nMIIEowIBAAKCAQEA75b0\n-----END PUBLIC KEY-----",
    "the bearer of this letter",
    "primary_key: 356a192b7913b04c54574d18c28d46e6395428ab",
    "cache_key = a1B2c3D4e5F6g7H8i9J0k1L2",
    "id: 75b0f0bd-1f46-b7e3-6b9c-728756ceeac6",
    "token: 75b0f0bd-1f46-b7e3-6b9c-728756ceeac6",
    "sha512-a1B2c3D4e5F6g7H8i9J0k1L2a1B2c3D4e5F6g7H8i9J0k1L2==",
    "integrity: sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K",
    "index 83db48f..bf2a3c1 100644",
    "postgres://user:password@localhost:5432/db",
    "https://user:${TOKEN}@example.com and mysql://root:<password>@host",
    "amqp://guest:****@host, http://example.com:8080/path@2",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ",
    "key: ArrowUp; keyCode=38; tokens=4096; max_tokens: 4096",
    "def get_secret(password: str, token: Optional[str] = None) -> SecretStr:",
]


def test_the_same_value_is_the_same_token_whatever_stands_before():
    value = "sk-test75b0f0bd1f46b7e36b9c728756ceeac6"
    assert rewritten(f"key: {value}") == "key: " + rewritten(value)


@pytest.mark.parametrize(("before", "value", "after"), FOUND)
def test_replaced(before, value, after):
    text = before + value + after
    assert RedactSecret().find(text) == [value]
    assert rewritten(text) == before + RedactSecret().token(value, SECRET) + after


@pytest.mark.parametrize("text", LEFT)
def test_left_alone(text):
    assert RedactSecret().find(text) == []
    assert rewritten(text) == text


def test_the_token_names_the_kind_and_not_the_value():
    token = RedactSecret().token(FOUND[0][1], SECRET)
    assert token.startswith("[SECRET_")
    assert len(token) == len("[SECRET_]") + 8
    assert token != RedactSecret().token(FOUND[0][1], b"another key")
    assert RedactSecret().find(token) == []
