"""The API against its own description: what a client may send by it, and what it may not.

``POLYGLANCE_FUZZ_EXAMPLES=500 pytest tests/serve/test_fuzz.py`` tries more of each route, and other
things each time.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import booleans
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi import checks

from polyglance.search.schema import picture_id

EXAMPLES = int(os.environ.get("POLYGLANCE_FUZZ_EXAMPLES", "0"))
CHECKED = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
HERE = {"host": "127.0.0.1"}
load_all_checks()


TRIED = settings(
    max_examples=EXAMPLES or 20,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


ROUTES = [
    ("GET", "/api/v1/search"),
    ("POST", "/api/v1/search"),
    ("POST", "/api/v1/search/image"),
    ("GET", "/api/v1/similar/{picture_id}"),
    ("GET", "/api/v1/explain/{picture_id}"),
]


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [
        *((*route, mode) for route in ROUTES for mode in GenerationMode),
        ("GET", "/api/v1/collection", GenerationMode.POSITIVE),  # it takes nothing
    ],
)
def test_whatever_is_sent_is_answered_as_described(
    app: FastAPI, photos: Path, method: str, path: str, mode: GenerationMode
) -> None:
    described = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, headers=HERE)
    red = picture_id("red/red.png")
    content = (photos / "red" / "red.png").read_bytes()

    @TRIED
    @given(case=described[path][method].as_strategy(generation_mode=mode), true=booleans())
    def sent(case: Any, true: bool) -> None:
        known = true and bool(case.path_parameters)
        if known:  # chance would never meet a picture that is there
            case.path_parameters["picture_id"] = red
        if true and isinstance(case.body, dict) and "image" in case.body:
            case.body["image"] = content
        answer = case.call(headers={**(case.headers or {}), **HERE})
        case.validate_response(answer, checks=CHECKED)
        assert answer.status_code != 503
        assert str(photos.parent) not in answer.text
        assert not (known and answer.status_code == 404)

    sent()


def test_every_route_has_examples(app: FastAPI) -> None:
    described = app.openapi()
    objects = described["components"]["schemas"]
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            [content] = operation["responses"]["200"]["content"].values()
            answer = objects[content["schema"]["$ref"].rsplit("/", 1)[1]]
            assert answer["examples"], path
            assert method == "post" or path.endswith("/collection") or _has_example(operation), path
            for body in operation.get("requestBody", {}).get("content", {}).values():
                taken = objects[body["schema"]["$ref"].rsplit("/", 1)[1]]
                assert "examples" in taken or any(
                    "examples" in field for field in taken["properties"].values()
                ), path


def _has_example(operation: dict[str, Any]) -> bool:
    required = [it for it in operation["parameters"] if it.get("required")]
    return all("examples" in it["schema"] or "examples" in it for it in required)
