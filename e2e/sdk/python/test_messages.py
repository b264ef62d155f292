"""The official Anthropic client: /v1/messages passes to a provider that speaks it natively, with the gateway's key."""

import anthropic
import pytest
from conftest import BASE_URL, ask, gateway_only, model

pytestmark = gateway_only


ROOT = BASE_URL.removesuffix("/v1")


@pytest.fixture(scope="module")
def claude():
    with anthropic.Anthropic(base_url=ROOT, api_key="of-the-client", max_retries=0) as c:
        yield c


def test_a_message(claude):
    got = claude.messages.create(model="anthropic/claude-test", max_tokens=10, messages=ask("Grüße 👋"))
    assert got.content[0].text == "Grüße 👋"
    assert got.model == "claude-test"


def test_a_streamed_message(claude):
    with claude.messages.stream(model="anthropic/claude-test", max_tokens=10, messages=ask("Grüße 👋")) as stream:
        assert "".join(stream.text_stream) == "Grüße 👋"
        assert stream.get_final_message().stop_reason == "end_turn"


def test_a_provider_without_messages_is_a_bad_request(claude):
    with pytest.raises(anthropic.BadRequestError) as e:
        claude.messages.create(model=model("echo"), max_tokens=10, messages=ask("hi"))
    assert "anthropic" in str(e.value)


def test_all_of_its_api_through_the_proxy():
    """The client adds /v1 to its base URL, and the provider's URL ends in it: it must not be there twice."""
    with anthropic.Anthropic(base_url=ROOT + "/proxy/anthropic", api_key="of-the-client", max_retries=0) as c:
        assert c.messages.create(model="claude-test", max_tokens=10, messages=ask("hi")).content[0].text == "hi"
        with c.messages.stream(model="claude-test", max_tokens=10, messages=ask("hi")) as stream:
            assert "".join(stream.text_stream) == "hi"
        assert c.messages.count_tokens(model="claude-test", messages=ask("hi")).input_tokens == 3
