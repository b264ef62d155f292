import asyncio
import time

import openai
import pytest
from conftest import OPTIONS, ask, model


def test_parallel_requests_do_not_mix():
    async def one(client, i):
        if i % 2:
            got = await client.chat.completions.create(model=model("echo"), messages=ask(f"request {i}"))
            return got.choices[0].message.content
        text = ""
        async for c in await client.chat.completions.create(model=model("echo"), messages=ask(f"request {i}"), stream=True):
            text += c.choices[0].delta.content or ""
        return text

    async def all_of_them():
        async with openai.AsyncOpenAI(**OPTIONS) as client:
            return await asyncio.gather(*(one(client, i) for i in range(64)))

    assert asyncio.run(all_of_them()) == [f"request {i}" for i in range(64)]


def test_cancelling_midstream_leaves_the_server_fine():
    async def cancel_then_ask():
        async with openai.AsyncOpenAI(**OPTIONS) as client:
            started = asyncio.Event()

            async def read():
                async for _ in await client.chat.completions.create(
                    model=model("echo"), messages=ask("word " * 5000), stream=True
                ):
                    started.set()

            tasks = [asyncio.create_task(read()) for _ in range(8)]
            await asyncio.wait_for(started.wait(), 20)
            for task in tasks:
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(d, asyncio.CancelledError) for d in done)
            got = await client.chat.completions.create(model=model("echo"), messages=ask("still there"))
            return got.choices[0].message.content

    assert asyncio.run(cancel_then_ask()) == "still there"


def test_words_arrive_before_the_answer_is_whole():
    """The demo provider pauses between words: a buffer on the way would hand over everything at the end."""

    async def first_and_last():
        async with openai.AsyncOpenAI(**OPTIONS) as client:
            times = []
            async for _ in await client.chat.completions.create(
                model=model("echo"), messages=ask("word " * 50), stream=True
            ):
                times.append(time.monotonic())
            return times

    times = asyncio.run(first_and_last())
    if times[-1] - times[0] < 0.3:
        pytest.fail(f"{len(times)} chunks within {times[-1] - times[0]:.3f} s")
