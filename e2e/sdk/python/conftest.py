"""What every test shares: clients for the server under test, and the names of its models."""

import os

import openai
import pytest

BASE_URL = os.environ["SDK_BASE_URL"]
PREFIX = os.environ.get("SDK_PREFIX", "")

# Tests of what the gateway itself promises, as opposed to any server that speaks the protocol.
gateway_only = pytest.mark.skipif(not os.environ.get("SDK_GATEWAY"), reason="needs the gateway")

# Tests of tool loops, which need a gateway with the tools of toolserver.py.
with_tools = pytest.mark.skipif(not os.environ.get("SDK_TOOLS"), reason="needs the gateway with tools")

# No retries: each test says how often it asks.
OPTIONS = dict(base_url=BASE_URL, api_key="unused", max_retries=0, timeout=30)


def model(name):
    return PREFIX + name


def ask(text):
    return [{"role": "user", "content": text}]


@pytest.fixture(scope="session")
def client():
    with openai.OpenAI(**OPTIONS) as c:
        yield c
