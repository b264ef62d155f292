import openai
import pytest
from conftest import gateway_only, model


def test_list(client):
    ids = [m.id for m in client.models.list()]
    assert {model("assistant"), model("echo"), model("tools")} <= set(ids)
    assert ids == sorted(ids)


def test_retrieve(client):
    got = client.models.retrieve(model("echo"))
    assert (got.id, got.object) == (model("echo"), "model")


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as e:
        client.models.retrieve(model("nope"))
    assert e.value.code == "model_not_found"


@gateway_only
def test_every_provider_is_listed(client):
    models = {m.id: m for m in client.models.list()}
    assert models["faulty/status-429"].served_by == "faulty"
    assert models["demo/echo"].served_by == "demo"
    assert "faulty/forbidden" not in models
