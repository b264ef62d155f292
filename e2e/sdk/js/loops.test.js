import assert from 'node:assert/strict';
import { test } from 'node:test';

import OpenAI from 'openai';

import { ask, client, model, withTools } from './client.js';

const echo = 'use the tool mcp_t_echo with {"text":"Grüße 👋"}';
const twice = `${echo} then use the tool mcp_t_echo with {"text":"second"}`;
const own = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: {} } } }];
const create = (text, more = {}) => client.chat.completions.create({ model: model('assistant'), messages: ask(text), ...more });

test('a loop is one answer', withTools, async () => {
  const { choices: [choice], usage } = await create(echo);
  assert.match(choice.message.content, /echo of Grüße 👋/);
  assert.equal(choice.finish_reason, 'stop');
  assert.equal(choice.message.tool_calls, undefined);
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
});

test('a streamed loop is one answer', withTools, async () => {
  const chunks = [];
  for await (const chunk of await create(twice, { stream: true, stream_options: { include_usage: true } })) chunks.push(chunk);
  const whole = await create(twice);
  const choices = chunks.flatMap((c) => c.choices);
  assert.equal(new Set(chunks.map((c) => `${c.id} ${c.created} ${c.model}`)).size, 1);
  assert.equal(choices.map((c) => c.delta.content ?? '').join(''), whole.choices[0].message.content);
  assert.deepEqual(choices.filter((c) => c.delta.role).map((c) => c.delta.role), ['assistant']);
  assert.deepEqual(choices.filter((c) => c.finish_reason).map((c) => c.finish_reason), ['stop']);
  assert.ok(!choices.some((c) => c.delta.tool_calls));
  assert.equal(chunks.filter((c) => c.usage).length, 1);
  assert.deepEqual(chunks.at(-1).usage.prompt_tokens, whole.usage.prompt_tokens);
});

test('the stream helper sees one completion', withTools, async () => {
  const stream = client.chat.completions.stream({ model: model('assistant'), messages: ask(twice) });
  const final = await stream.finalChatCompletion();
  assert.match(final.choices[0].message.content, /echo of second/);
});

test('the bytes of a streamed loop', withTools, async () => {
  const response = await create(twice, { stream: true }).asResponse();
  const raw = await response.text();
  assert.ok(raw.endsWith('data: [DONE]\n\n'));
  assert.equal(raw.split('[DONE]').length, 2);
  const events = raw.split('\n').filter((l) => l.startsWith('data: {')).map((l) => JSON.parse(l.slice(6)));
  const choices = events.flatMap((e) => e.choices);
  assert.equal(choices.filter((c) => c.finish_reason !== null).length, 1);
  assert.equal(choices.filter((c) => 'role' in c.delta).length, 1);
  assert.ok(!events.some((e) => e.usage));
});

test("runTools runs the client's own functions, the gateway its own", withTools, async () => {
  const ran = [];
  const runner = client.chat.completions.runTools({
    model: model('assistant'),
    messages: ask(`use the tool weather with {"city":"Köln"} then ${echo}`),
    tools: [{ type: 'function', function: { name: 'weather', parse: JSON.parse, parameters: own[0].function.parameters, function: (a) => { ran.push(a.city); return 'sunny'; } } }],
  });
  assert.match(await runner.finalContent(), /echo of Grüße/);
  assert.deepEqual(ran, ['Köln']);
});

test('of the calls of both the client gets its own', withTools, async () => {
  const text = 'use tools mcp_t_echo with {"text":"x"} and weather with {"city":"Köln"}';
  const whole = await create(text, { tools: own });
  const streamed = await client.chat.completions.stream({ model: model('assistant'), messages: ask(text), tools: own }).finalChatCompletion();
  for (const { choices: [choice] } of [whole, streamed]) {
    assert.equal(choice.finish_reason, 'tool_calls');
    assert.deepEqual(choice.message.tool_calls.map((c) => [c.function.name, JSON.parse(c.function.arguments)]), [['weather', { city: 'Köln' }]]);
  }
});

test('a model that fails later', withTools, async () => {
  const request = { model: 'faulty/late-429', messages: ask('js') };
  await assert.rejects(client.chat.completions.create(request), (e) => {
    assert.ok(e instanceof OpenAI.InternalServerError);
    assert.equal(e.status, 502);
    assert.equal(e.code, 'upstream_error');
    assert.equal(e.headers.get('retry-after'), '7');
    return true;
  });
  let seen = '';
  const stream = await client.chat.completions.create({ ...request, stream: true });
  await assert.rejects(async () => {
    for await (const chunk of stream) seen += chunk.choices[0].delta.content ?? '';
  }, OpenAI.APIError);
  assert.equal(seen, 'so far');
});

test('the client does not run tools again by itself', withTools, async () => {
  const patient = new OpenAI({ baseURL: client.baseURL, apiKey: 'unused', maxRetries: 2 });
  await assert.rejects(patient.chat.completions.create({ model: 'faulty/late-503', messages: ask('js, not twice') }), OpenAI.InternalServerError);
  const count = await create('use the tool mcp_t_count with {"text":"js, not twice"}');
  assert.match(count.choices[0].message.content, /heard 1 times/);
});
