import json

from conftest import ask, model

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": "A test tool",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
    for name in ("weather", "clock")
]
BOTH = 'use tools weather with {"city":"Köln"} and clock with {"zone":"UTC"}'


def test_a_call_and_its_result_make_a_round_trip(client):
    messages = ask('use the tool weather with {"city":"Köln"}')
    got = client.chat.completions.create(model=model("tools"), messages=messages, tools=TOOLS)
    assert got.choices[0].finish_reason == "tool_calls"
    message = got.choices[0].message
    assert message.content is None
    (call,) = message.tool_calls
    assert (call.type, call.function.name) == ("function", "weather")
    assert json.loads(call.function.arguments) == {"city": "Köln"}

    messages += [message, {"role": "tool", "tool_call_id": call.id, "content": '{"degrees":21}'}]
    got = client.chat.completions.create(model=model("tools"), messages=messages, tools=TOOLS)
    assert got.choices[0].finish_reason == "stop"
    assert '{"degrees":21}' in got.choices[0].message.content


def test_parallel_calls(client):
    got = client.chat.completions.create(model=model("tools"), messages=ask(BOTH), tools=TOOLS)
    calls = got.choices[0].message.tool_calls
    assert [c.function.name for c in calls] == ["weather", "clock"]
    assert len({c.id for c in calls}) == 2


def test_tool_choice(client):
    def calls(choice):
        got = client.chat.completions.create(
            model=model("assistant"), messages=ask("hello"), tools=TOOLS, tool_choice=choice
        )
        return [c.function.name for c in got.choices[0].message.tool_calls or []]

    assert calls("auto") == []
    assert calls("none") == []
    assert calls("required") == ["weather"]
    assert calls({"type": "function", "function": {"name": "clock"}}) == ["clock"]


def test_streamed_calls_join_to_whole_ones(client):
    whole = client.chat.completions.create(model=model("tools"), messages=ask(BOTH), tools=TOOLS)
    joined, fragments = {}, 0
    for chunk in client.chat.completions.create(model=model("tools"), messages=ask(BOTH), tools=TOOLS, stream=True):
        for part in chunk.choices[0].delta.tool_calls or []:
            call = joined.setdefault(part.index, {"id": part.id, "name": part.function.name, "arguments": ""})
            call["arguments"] += part.function.arguments or ""
            fragments += 1
    assert fragments > 4
    assert [(c["name"], c["arguments"]) for c in joined.values()] == [
        (c.function.name, c.function.arguments) for c in whole.choices[0].message.tool_calls
    ]
    assert all(c["id"] for c in joined.values())


def test_the_stream_helper_parses_calls(client):
    with client.chat.completions.stream(model=model("tools"), messages=ask(BOTH), tools=TOOLS) as stream:
        final = stream.get_final_completion()
    assert [c.function.name for c in final.choices[0].message.tool_calls] == ["weather", "clock"]
