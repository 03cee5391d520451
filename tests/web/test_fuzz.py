"""What strangers may send: tried from the API's own description, and with broken pictures."""

import random
from io import BytesIO

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from PIL import Image, ImageDraw
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.testclient import TestClient

from sketchy.web.app import create_app

ADDRESSES = (
    "/api/search",
    "/api/convert",
    "/api/photos/{photo}",
    "/api/photos/{photo}/about",
    "/api/info",
    "/api/status",
    "/healthz",
)


HOST = {"host": "localhost"}


@pytest.fixture(scope="module")
def described(index):
    return schemathesis.openapi.from_asgi("/openapi.json", create_app(index), headers=HOST)


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_api_does_what_its_description_says(described, address):
    operation = described[address]["POST" if address in ("/api/search", "/api/convert") else "GET"]

    @given(case=operation.as_strategy() | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    @settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def attempt(case):
        case.call_and_validate(
            headers=HOST, excluded_checks=[positive_data_acceptance]
        )  # no schema can say "not blank"

    attempt()


def test_every_address_is_tried(described):
    assert {result.ok().path for result in described.get_all_operations()} == set(ADDRESSES)


def picture(kind: str) -> bytes:
    image = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(image).ellipse((8, 8, 50, 40), outline="black", width=3)
    file = BytesIO()
    image.save(file, kind)
    return file.getvalue()


def broken(whole: bytes, generator: random.Random) -> bytes:
    """Change some bytes, or cut the end off."""
    content = bytearray(whole)
    for _ in range(generator.choice([1, 3, 20])):
        content[generator.randrange(len(content))] = generator.randrange(256)
    return bytes(content[: generator.choice([len(content), generator.randrange(len(content))])])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_broken_pictures_are_answered_in_one_line(index, kind):
    generator = random.Random(7)
    whole = picture(kind)
    with TestClient(create_app(index), base_url="http://localhost") as client:
        assert client.post("/api/search", content=whole).status_code == 200
        statuses = set()
        for _ in range(120):
            answer = client.post(
                f"/api/search?kind={generator.choice(['photo', 'sketch'])}", content=broken(whole, generator)
            )
            statuses.add(answer.status_code)
            assert set(answer.json()) in ({"error"}, {"results"})
    assert statuses <= {200, 400, 413, 415, 422}
    assert len(statuses) > 1
