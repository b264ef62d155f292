import assert from 'node:assert/strict';
import { test } from 'node:test';

import OpenAI from 'openai';

import { ask, client, gatewayOnly, model } from './client.js';

const emoji = 'Grüße, 世界! 👩🏽‍🚀 мир "quoted" back\\slash\nnew line <b>&amp;';

test('a chat answer', async () => {
  const got = await client.chat.completions.create({ model: model('echo'), messages: ask(emoji) });
  assert.equal(got.choices[0].message.content, emoji);
  assert.equal(got.choices[0].finish_reason, 'stop');
  assert.equal(got.usage.total_tokens, got.usage.prompt_tokens + got.usage.completion_tokens);
});

test('a stream with usage', async () => {
  let text = '';
  let usage;
  const stream = await client.chat.completions.create({
    model: model('echo'), messages: ask(emoji), stream: true, stream_options: { include_usage: true },
  });
  for await (const chunk of stream) {
    assert.equal(usage, undefined, 'usage comes last');
    text += chunk.choices[0]?.delta.content ?? '';
    usage = chunk.usage ?? undefined;
  }
  assert.equal(text, emoji);
  assert.ok(usage.total_tokens > 0);
});

test('the stream helper collects the whole answer', async () => {
  const stream = client.chat.completions.stream({ model: model('echo'), messages: ask('one two three') });
  assert.equal(await stream.finalContent(), 'one two three');
});

test('unknown fields survive', async () => {
  const got = await client.chat.completions.create({
    model: model('mirror'), messages: ask('hi'), x_gateway_test: { deep: [1, null, 'ü', 1.5] },
  });
  assert.deepEqual(JSON.parse(got.choices[0].message.content).x_gateway_test, { deep: [1, null, 'ü', 1.5] });
});

test('requests in parallel do not mix', async () => {
  const texts = Array.from({ length: 32 }, (_, i) => `request ${i}`);
  const got = await Promise.all(texts.map(async (text) => {
    const answer = await client.chat.completions.create({ model: model('echo'), messages: ask(text) });
    return answer.choices[0].message.content;
  }));
  assert.deepEqual(got, texts);
});

test('a client that aborts midstream leaves the server fine', async () => {
  for (let i = 0; i < 5; i++) {
    const stream = await client.chat.completions.create({
      model: model('echo'), messages: ask('word '.repeat(2000)), stream: true,
    });
    for await (const _ of stream) {
      stream.controller.abort();
      break;
    }
  }
  const got = await client.chat.completions.create({ model: model('echo'), messages: ask('still there') });
  assert.equal(got.choices[0].message.content, 'still there');
});

test('a client timeout is its own error', gatewayOnly, async () => {
  await assert.rejects(
    client.chat.completions.create({ model: 'faulty/slow', messages: ask('hi') }, { timeout: 300 }),
    OpenAI.APIConnectionTimeoutError,
  );
});

test('embeddings', async () => {
  const got = await client.embeddings.create({ model: model('embedding'), input: ['one', 'two'], dimensions: 16 });
  assert.deepEqual(got.data.map((d) => [d.index, d.embedding.length]), [[0, 16], [1, 16]]);
});

test('models are listed and retrieved', async () => {
  const ids = [];
  for await (const m of client.models.list()) ids.push(m.id);
  assert.ok(ids.includes(model('assistant')));
  assert.equal((await client.models.retrieve(model('echo'))).id, model('echo'));
});
