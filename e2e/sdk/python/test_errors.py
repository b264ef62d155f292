"""Each failure becomes the exception class that callers catch."""

import openai
import pytest
from conftest import OPTIONS, ask, gateway_only, model


def failure(client, kind, name, **more):
    with pytest.raises(openai.APIStatusError) as e:
        client.chat.completions.create(model=name, messages=more.pop("messages", ask("hi")), **more)
    assert type(e.value) is kind, e.value
    assert e.value.response.headers["content-type"].startswith("application/json")
    return e.value


def test_a_bad_request_names_its_field(client):
    e = failure(client, openai.BadRequestError, model("echo"), messages=[])
    assert (e.status_code, e.param, e.type) == (400, "messages", "invalid_request_error")
    assert e.body["message"]


def test_an_unknown_model_is_not_found(client):
    e = failure(client, openai.NotFoundError, model("nope"))
    assert (e.body["code"], e.body["param"]) == ("model_not_found", None)


PROVIDER_ERRORS = [
    (400, openai.BadRequestError, "context_length_exceeded", "messages"),
    (401, openai.AuthenticationError, "invalid_api_key", None),
    (403, openai.PermissionDeniedError, "unsupported_country_region_territory", None),
    (404, openai.NotFoundError, "model_not_found", "model"),
    (409, openai.ConflictError, "conflict", None),
    (422, openai.UnprocessableEntityError, "unprocessable", "tools"),
    (429, openai.RateLimitError, "rate_limit_exceeded", None),
    (500, openai.InternalServerError, None, None),
    (503, openai.InternalServerError, "overloaded", None),
]


@gateway_only
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("status, kind, code, param", PROVIDER_ERRORS, ids=[str(p[0]) for p in PROVIDER_ERRORS])
def test_a_providers_error_passes_unchanged(client, status, kind, code, param, stream):
    e = failure(client, kind, f"faulty/status-{status}", stream=stream)
    assert (e.status_code, e.code, e.param) == (status, code, param)
    assert set(e.body) == {"message", "type", "param", "code"}
    assert e.request_id, "the gateway names every request"
    if status == 429:
        assert e.response.headers["retry-after"] == "7"
        assert e.response.headers["x-ratelimit-remaining-requests"] == "0"


@gateway_only
def test_a_refused_model_is_a_permission_error(client):
    e = failure(client, openai.PermissionDeniedError, "faulty/forbidden")
    assert (e.status_code, e.code, e.type) == (403, "model_not_allowed", "model_not_allowed")
    assert "forbidden" in e.message


@gateway_only
@pytest.mark.parametrize("name", ["nobody/gpt", "no-provider-at-all"])
def test_an_unknown_provider_is_a_bad_request_that_says_what_to_do(client, name):
    e = failure(client, openai.BadRequestError, name)
    assert e.type == "invalid_request_error"
    assert "provider" in e.message


@gateway_only
def test_a_provider_without_its_key_is_a_bad_request_that_names_the_variable(client):
    e = failure(client, openai.BadRequestError, "openai/gpt-4o-mini")
    assert e.code == "provider_not_configured"
    assert "OPENAI_API_KEY" in e.message


@gateway_only
def test_a_reset_is_an_upstream_error_that_names_the_provider(client):
    e = failure(client, openai.InternalServerError, "faulty/reset")
    assert (e.status_code, e.type) == (502, "upstream_error")
    assert "faulty" in e.message
    assert "127.0.0.1" not in e.message


@gateway_only
def test_an_error_midstream_is_raised(client):
    seen = ""
    with pytest.raises(openai.APIError) as e:
        for chunk in client.chat.completions.create(model="faulty/error-midstream", messages=ask("hi"), stream=True):
            seen += chunk.choices[0].delta.content or ""
    assert seen == "so far"
    assert e.value.code == "engine"


@gateway_only
def test_a_body_over_the_limit_is_refused_and_the_client_goes_on(client):
    with pytest.raises(openai.APIStatusError) as e:
        client.chat.completions.create(model=model("echo"), messages=ask("x" * (1 << 21)))
    assert e.value.status_code == 413
    assert e.value.code == "request_too_large"
    assert client.chat.completions.create(model=model("echo"), messages=ask("hi")).choices


@gateway_only
def test_every_answer_names_its_request(client):
    ids = set()
    for _ in range(2):
        raw = client.chat.completions.with_raw_response.create(model=model("echo"), messages=ask("hi"))
        ids.add(raw.headers["x-request-id"])
    ids.add(client.models.with_raw_response.list().headers["x-request-id"])
    assert len(ids) == 3


@gateway_only
def test_the_clients_own_retries_work():
    with openai.OpenAI(**{**OPTIONS, "max_retries": 1}) as retrying:
        e = failure(retrying, openai.InternalServerError, "faulty/status-503")
    assert e.response.request.headers["x-stainless-retry-count"] == "1"
