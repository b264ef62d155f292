"""A tool loop is one answer to the official client: streamed or not, with tools of its own or without."""

import asyncio
import json

import openai
import pytest
from conftest import OPTIONS, ask, model, with_tools

pytestmark = with_tools

ECHO = 'use the tool mcp_t_echo with {"text":"Grüße 👋"}'
TWICE = ECHO + ' then use the tool mcp_t_echo with {"text":"second"}'
OWN = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
OWN_CALL = 'weather with {"city":"Köln"}'


def create(client, text, name=None, **more):
    return client.chat.completions.create(model=name or model("assistant"), messages=ask(text), **more)


def test_a_loop_is_one_answer(client):
    got = create(client, ECHO)
    (choice,) = got.choices
    assert "echo of Grüße 👋" in choice.message.content
    assert (choice.finish_reason, choice.message.role, choice.message.tool_calls) == ("stop", "assistant", None)


def test_usage_is_the_sum(client):
    once = create(client, ECHO, tool_choice="none").usage
    usage = create(client, ECHO).usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.prompt_tokens > 2 * once.prompt_tokens


@pytest.mark.parametrize("text", [ECHO, TWICE], ids=["one round", "two rounds"])
def test_a_streamed_loop_is_one_answer(client, text):
    chunks = list(create(client, text, stream=True, stream_options={"include_usage": True}))
    whole = create(client, text)
    assert len({(c.id, c.created, c.model) for c in chunks}) == 1
    assert all(c.object == "chat.completion.chunk" for c in chunks)
    deltas = [c.choices[0].delta for c in chunks if c.choices]
    assert "".join(d.content or "" for d in deltas) == whole.choices[0].message.content
    assert [d.role for d in deltas if d.role] == ["assistant"]
    assert not any(d.tool_calls for d in deltas)
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]
    assert [c.usage for c in chunks if c.usage] == [chunks[-1].usage]
    assert chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens


def test_no_usage_is_streamed_unasked(client):
    assert not any(c.usage for c in create(client, ECHO, stream=True))


def test_the_stream_helper_sees_one_completion(client):
    with client.chat.completions.stream(model=model("assistant"), messages=ask(TWICE)) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert "echo of second" in final.choices[0].message.content
    assert kinds.count("content.done") == 1


@pytest.mark.parametrize("headers", [{}, {"X-Tool-Events": "true"}], ids=["plain", "with tool events"])
def test_the_bytes_of_a_stream(client, headers):
    with client.chat.completions.with_streaming_response.create(
        model=model("assistant"), messages=ask(TWICE), stream=True, extra_headers=headers,
        stream_options={"include_usage": True},
    ) as response:  # fmt: skip
        assert response.headers["content-type"].startswith("text/event-stream")
        raw = b"".join(response.iter_bytes())
    assert raw.endswith(b"data: [DONE]\n\n")
    assert raw.count(b"[DONE]") == 1
    events = [json.loads(line[6:]) for line in raw.splitlines() if line.startswith(b"data: {")]
    choices = [choice for event in events for choice in event["choices"]]
    assert sum(choice["finish_reason"] is not None for choice in choices) == 1
    assert sum("role" in choice["delta"] for choice in choices) == 1
    assert sum(bool(event.get("usage")) for event in events) == 1
    assert raw.count(b"event: tool\n") == (2 if headers else 0)
    assert b"mcp_t_echo" not in raw.replace(b"The tool mcp_t_echo answered", b"") or headers


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_calls_of_the_clients_own_tools_are_the_clients(client, stream):
    text = f'use tools mcp_t_echo with {{"text":"never to be run"}} and {OWN_CALL}'
    messages = ask(text)
    if stream:
        with client.chat.completions.stream(model=model("assistant"), messages=messages, tools=OWN) as s:
            message = s.get_final_completion().choices[0].message
    else:
        (choice,) = create(client, text, tools=OWN).choices
        assert choice.finish_reason == "tool_calls"
        message = choice.message
    (call,) = message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Köln"})

    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    answer = client.chat.completions.create(model=model("assistant"), messages=[*messages, message, result], tools=OWN)
    assert "sunny" in answer.choices[0].message.content
    assert "heard 0 times" in create(client, 'use the tool mcp_t_count with {"text":"never to be run"}').choices[0].message.content


def test_own_calls_after_the_gateways(client):
    got = create(client, f"{ECHO} then use the tool {OWN_CALL}", tools=OWN)
    assert [c.function.name for c in got.choices[0].message.tool_calls] == ["weather"]


def test_a_tool_that_fails_is_no_error(client):
    assert "it is broken" in create(client, "use the tool mcp_t_fail with {}").choices[0].message.content


def test_a_model_that_fails_later(client):
    with pytest.raises(openai.InternalServerError) as e:
        create(client, "once", name="faulty/late-429")
    assert (e.value.status_code, e.value.type, e.value.code) == (502, "upstream_error", "upstream_error")
    assert "Rate limit reached" in e.value.message
    assert e.value.response.headers["retry-after"] == "7"
    assert e.value.request_id


def test_a_model_that_fails_later_in_a_stream(client):
    seen = ""
    with pytest.raises(openai.APIError, match="Rate limit reached") as e:
        for chunk in create(client, "streamed", name="faulty/late-429", stream=True):
            seen += chunk.choices[0].delta.content or ""
    assert not isinstance(e.value, openai.APIStatusError)
    assert seen == "so far"


def test_the_client_does_not_run_tools_again_by_itself():
    with openai.OpenAI(**{**OPTIONS, "max_retries": 2}) as client:
        with pytest.raises(openai.InternalServerError):
            create(client, "not to be heard twice", name="faulty/late-503")
        count = create(client, 'use the tool mcp_t_count with {"text":"not to be heard twice"}')
    assert "heard 1 times" in count.choices[0].message.content


def test_loops_at_the_same_time_do_not_mix():
    async def run():
        async with openai.AsyncOpenAI(**OPTIONS) as client:

            async def one(i):
                text = f'use the tool mcp_t_echo with {{"text":"loop {i}."}}'
                if i % 2:
                    return await create(client, text)
                async with client.chat.completions.stream(model=model("assistant"), messages=ask(text)) as stream:
                    return await stream.get_final_completion()

            return await asyncio.gather(*(one(i) for i in range(64)))

    for i, got in enumerate(asyncio.run(run())):
        assert got.choices[0].message.content.endswith(f"echo of loop {i}.")
