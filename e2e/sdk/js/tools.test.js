import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ask, client, model } from './client.js';

const tools = ['weather', 'clock'].map((name) => ({
  type: 'function',
  function: { name, parameters: { type: 'object', properties: {} } },
}));
const both = 'use tools weather with {"city":"Köln"} and clock with {"zone":"UTC"}';

test('a tool call and its result make a round trip', async () => {
  const messages = ask(both);
  const first = await client.chat.completions.create({ model: model('tools'), messages, tools });
  assert.equal(first.choices[0].finish_reason, 'tool_calls');
  const { message } = first.choices[0];
  assert.deepEqual(message.tool_calls.map((c) => c.function.name), ['weather', 'clock']);
  messages.push(message, ...message.tool_calls.map((c) => ({ role: 'tool', tool_call_id: c.id, content: `result of ${c.function.name}` })));
  const second = await client.chat.completions.create({ model: model('tools'), messages, tools });
  assert.match(second.choices[0].message.content, /result of weather[^]*result of clock/);
});

test('streamed tool calls join to whole ones', async () => {
  const stream = client.chat.completions.stream({ model: model('tools'), messages: ask(both), tools });
  const final = await stream.finalChatCompletion();
  assert.deepEqual(
    final.choices[0].message.tool_calls.map((c) => [c.function.name, JSON.parse(c.function.arguments)]),
    [['weather', { city: 'Köln' }], ['clock', { zone: 'UTC' }]],
  );
});

test('runTools runs the functions of the client', async () => {
  const ran = [];
  const runner = client.chat.completions.runTools({
    model: model('assistant'),
    messages: ask('use the tool weather with {"city":"Köln"}'),
    tools: [{ type: 'function', function: { name: 'weather', parse: JSON.parse, parameters: { type: 'object', properties: {} }, function: (a) => { ran.push(a.city); return 'sunny'; } } }],
  });
  assert.match(await runner.finalContent(), /sunny/);
  assert.deepEqual(ran, ['Köln']);
});
