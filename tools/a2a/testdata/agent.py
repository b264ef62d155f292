"""An agent made with the official Python SDK, for the tests of ../ and for demonstrations.

    python agent.py --port 9001 [--era 1.0|0.3] [--binding jsonrpc|rest] [--no-streaming] [--log FILE]

Its skills: echo answers with a message, report with a task and an artifact, story streams an artifact in pieces, book asks a
question before it ends, slow works until it is cancelled, fail fails, locked wants a sign-in. The skill is taken from the
message's metadata (skillId); without it the message is echoed. --log appends a line for each cancelled task.
"""

import argparse
import asyncio
import json

import uvicorn
from a2a.helpers import proto_helpers as make
from a2a.server.agent_execution.agent_executor import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks.inmemory_task_store import InMemoryTaskStore
from a2a.server.tasks.task_updater import TaskUpdater
from a2a.types import a2a_pb2 as types
from google.protobuf.json_format import MessageToDict
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

SKILLS = {
    "echo": "Repeats what it is told.",
    "report": "Writes a short report about a subject.",
    "story": "Tells a story, word by word.",
    "book": "Books a table; asks for the time if it must.",
    "slow": "Works for a very long time.",
    "fail": "Always fails.",
    "locked": "Needs somebody to sign in.",
}


class Agent(AgentExecutor):
    def __init__(self, log):
        self.log = log

    async def execute(self, context, event_queue):
        words = context.get_user_input()
        skill = MessageToDict(context.message.metadata).get("skillId", "echo")
        if skill == "echo":
            await event_queue.enqueue_event(make.new_text_message(f"echo: {words}", context_id=context.context_id))
            return
        going_on = context.current_task is not None
        if not going_on:
            await event_queue.enqueue_event(
                make.new_task(context.task_id, context.context_id, types.TaskState.TASK_STATE_SUBMITTED, history=[context.message])
            )
        task = TaskUpdater(event_queue, context.task_id, context.context_id)
        await task.start_work()
        await getattr(self, skill)(task, words, going_on)

    async def report(self, task, words, going_on):
        await task.add_artifact([make.new_text_part(f"Report on {words}: all is well.")], name="report")
        await task.complete()

    async def story(self, task, words, going_on):
        pieces = ["Once ", "upon ", "a ", "time ", f"there was {words}."]
        for i, piece in enumerate(pieces):
            await task.add_artifact([make.new_text_part(piece)], artifact_id="story", append=i > 0, last_chunk=i == len(pieces) - 1)
            await asyncio.sleep(0.02)
        await task.complete()

    async def book(self, task, words, going_on):
        if not going_on:
            await task.requires_input(make.new_text_message("At what time?"))
            return
        await task.complete(make.new_text_message(f"Booked: {words}"))

    async def slow(self, task, words, going_on):
        await asyncio.sleep(3600)

    async def fail(self, task, words, going_on):
        await task.failed(make.new_text_message("the printer at http://10.0.0.7:631/ is on fire"))

    async def locked(self, task, words, going_on):
        await task.requires_auth(make.new_text_message("sign in at http://login.example/"))

    async def cancel(self, context, event_queue):
        if self.log:
            with open(self.log, "a", encoding="utf-8") as file:
                file.write(f"cancelled {context.task_id}\n")
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


def skills():
    return [
        types.AgentSkill(id=name, name=name, description=text, tags=["test"], examples=[f"{name} please"])
        for name, text in SKILLS.items()
    ]


def old_card(card, url, binding):
    """The card as an agent of protocol 0.3 sends it, with nothing of 1.0."""
    return {
        "protocolVersion": "0.3.0",
        "name": card.name,
        "description": card.description,
        "version": card.version,
        "url": url,
        "preferredTransport": binding,
        "capabilities": {"streaming": card.capabilities.streaming},
        "defaultInputModes": ["text"],
        "defaultOutputModes": ["text"],
        "skills": [
            {"id": s.id, "name": s.name, "description": s.description, "tags": list(s.tags), "examples": list(s.examples)}
            for s in card.skills
        ],
    }


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--era", choices=["1.0", "0.3"], default="1.0")
    options.add_argument("--binding", choices=["jsonrpc", "rest"], default="jsonrpc")
    options.add_argument("--no-streaming", action="store_true")
    options.add_argument("--log")
    args = options.parse_args()

    rest = args.binding == "rest"
    binding = "HTTP+JSON" if rest else "JSONRPC"
    url = f"http://127.0.0.1:{args.port}" + ("" if rest else "/rpc")
    card = types.AgentCard(
        name="Test agent",
        description="Does what tests need.",
        version="1.0.0",
        supported_interfaces=[types.AgentInterface(url=url, protocol_binding=binding, protocol_version="1.0")],
        capabilities=types.AgentCapabilities(streaming=not args.no_streaming),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=skills(),
    )
    handler = DefaultRequestHandler(agent_executor=Agent(args.log), task_store=InMemoryTaskStore(), agent_card=card)
    old = args.era == "0.3"
    if old:
        body = json.loads(json.dumps(old_card(card, url, binding)))

        async def agent_json(request):
            return JSONResponse(body)

        routes = [Route("/.well-known/agent.json", agent_json)]
    else:
        routes = create_agent_card_routes(card)
    if rest:
        routes += create_rest_routes(handler, enable_v0_3_compat=old)
    else:
        routes += create_jsonrpc_routes(handler, "/rpc", enable_v0_3_compat=old)
    uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=args.port, log_level="warning", timeout_graceful_shutdown=1)


if __name__ == "__main__":
    main()
