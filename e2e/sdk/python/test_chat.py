import json

import openai
import pytest
from conftest import ask, gateway_only, model
from pydantic import BaseModel

EMOJI = "Grüße, 世界! 👩🏽‍🚀 \u200bмир \U0001f1e9\U0001f1ea \"quoted\" back\\slash\nnew line <b>&amp;"


def test_chat(client):
    got = client.chat.completions.create(model=model("echo"), messages=ask("Hello"))
    assert got.object == "chat.completion"
    assert got.choices[0].message.role == "assistant"
    assert got.choices[0].message.content == "Hello"
    assert got.choices[0].finish_reason == "stop"
    assert got.usage.total_tokens == got.usage.prompt_tokens + got.usage.completion_tokens > 0


def test_unicode_survives_both_ways(client):
    got = client.chat.completions.create(model=model("echo"), messages=ask(EMOJI))
    assert got.choices[0].message.content == EMOJI


def test_stream(client):
    with client.chat.completions.create(model=model("echo"), messages=ask(EMOJI), stream=True) as stream:
        chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == EMOJI
    assert len(chunks) > 3
    assert [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == ["stop"]
    assert [c.choices[0].delta.role for c in chunks if c.choices[0].delta.role] == ["assistant"]
    assert all(c.usage is None for c in chunks)


def test_stream_with_usage(client):
    stream = client.chat.completions.create(
        model=model("echo"), messages=ask("one two"), stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = stream
    assert all(c.usage is None and c.choices for c in chunks)
    assert last.choices == []
    assert last.usage.completion_tokens == 2


def test_the_stream_helper_collects_the_whole_answer(client):
    with client.chat.completions.stream(model=model("echo"), messages=ask("one two three")) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert final.choices[0].message.content == "one two three"


def test_limits(client):
    got = client.chat.completions.create(model=model("echo"), messages=ask("one two three"), max_tokens=2, n=2)
    assert [(c.index, c.message.content, c.finish_reason) for c in got.choices] == [
        (0, "one two", "length"),
        (1, "one two", "length"),
    ]


class Step(BaseModel):
    title: str
    minutes: int


class Plan(BaseModel):
    goal: str
    steps: list[Step]


def test_structured_output(client):
    got = client.chat.completions.parse(model=model("assistant"), messages=ask("A plan, please"), response_format=Plan)
    assert isinstance(got.choices[0].message.parsed, Plan)


def test_content_parts(client):
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
    ]
    got = client.chat.completions.create(model=model("assistant"), messages=[{"role": "user", "content": parts}])
    assert "Images that came with it: 1" in got.choices[0].message.content


def test_unknown_fields_survive(client):
    """The mirror answers with the body that reached it."""
    extra = {"x_gateway_test": {"deep": [1, None, "ü", 1.5]}, "reasoning": {"effort": "high"}}
    got = client.chat.completions.create(
        model=model("mirror"), messages=ask("hi"), extra_body=extra, extra_headers={"x-mine": "yes"}, seed=2**53 + 1
    )
    arrived = json.loads(got.choices[0].message.content)
    assert {k: arrived[k] for k in extra} == extra
    assert arrived["seed"] == 2**53 + 1
    assert arrived["model"] == "mirror"
    assert got.service_tier == "default" and got.system_fingerprint == "fp_demo"


def test_raw_response_headers(client):
    raw = client.chat.completions.with_raw_response.create(model=model("echo"), messages=ask("hi"))
    assert raw.headers["content-type"].startswith("application/json")
    assert raw.parse().choices[0].message.content == "hi"


def test_raw_stream_headers(client):
    with client.chat.completions.with_streaming_response.create(
        model=model("echo"), messages=ask("hi"), stream=True
    ) as raw:
        assert raw.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in raw.iter_lines() if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"


def test_a_long_conversation(client):
    history = []
    for i in range(50):
        history += [{"role": "user", "content": f"question {i} " * 50}, {"role": "assistant", "content": f"answer {i}"}]
    got = client.chat.completions.create(model=model("echo"), messages=history + ask("the last"))
    assert got.choices[0].message.content == "the last"


@gateway_only
def test_a_client_timeout_leaves_the_server_fine(client):
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.3).chat.completions.create(model="faulty/slow", messages=ask("hi"))
    assert client.chat.completions.create(model=model("echo"), messages=ask("hi")).choices


def test_closing_midstream_leaves_the_server_fine(client):
    for _ in range(10):
        stream = client.chat.completions.create(model=model("echo"), messages=ask("word " * 2000), stream=True)
        next(iter(stream))
        stream.close()
    assert client.chat.completions.create(model=model("echo"), messages=ask("hi")).choices[0].message.content == "hi"
