import base64

import pytest

from flywheel.filters.blob import Blob
from tests.measured import HARMLESS, verdict


@pytest.mark.parametrize(
    ("reply", "rejected"),
    [
        (base64.b64encode(bytes(range(256)) * 2).decode(), True),
        (base64.encodebytes(bytes(range(256)) * 2).decode(), True),
        (("deadbeef01" * 60), True),
        ("It is " + "ab" * 32 + ".", False),
        ("The token is " + "aGVsbG8" * 20 + ", which you send as a bearer. " * 8, False),
        (
            "------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------",
            False,
        ),
        (
            "See https://docs.example.com/guides/how-to/make-a-very-long-path/that-goes-on/and-on?x=1 See https://docs.example.com/guides/how-to/make-a-very-long-path/that-goes-on/and-on?x=1 See https://docs.example.com/guides/how-to/make-a-very-long-path/that-goes-on/and-on?x=1 See https://docs.example.com/guides/how-to/make-a-very-long-path/that-goes-on/and-on?x=1 See https://docs.example.com/guides/how-to/make-a-very-long-path/that-goes-on/and-on?x=1 ",
            False,
        ),
        *[(reply, False) for reply in HARMLESS],
    ],
)
def test_blob(reply, rejected):
    assert verdict(Blob(), reply) is rejected
