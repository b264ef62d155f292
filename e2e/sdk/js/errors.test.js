import assert from 'node:assert/strict';
import { test } from 'node:test';

import OpenAI from 'openai';

import { ask, client, gatewayOnly, model } from './client.js';

async function failure(name, messages = ask('hi')) {
  try {
    await client.chat.completions.create({ model: name, messages });
  } catch (e) {
    return e;
  }
  assert.fail(`${name} did not fail`);
}

test('a bad request names its field', async () => {
  const e = await failure(model('echo'), []);
  assert.ok(e instanceof OpenAI.BadRequestError);
  assert.equal(e.param, 'messages');
  assert.equal(e.type, 'invalid_request_error');
});

test('an unknown model is not found', async () => {
  const e = await failure(model('nope'));
  assert.ok(e instanceof OpenAI.NotFoundError);
  assert.equal(e.code, 'model_not_found');
});

for (const [status, kind, code] of [
  [400, OpenAI.BadRequestError, 'context_length_exceeded'],
  [401, OpenAI.AuthenticationError, 'invalid_api_key'],
  [403, OpenAI.PermissionDeniedError, 'unsupported_country_region_territory'],
  [404, OpenAI.NotFoundError, 'model_not_found'],
  [429, OpenAI.RateLimitError, 'rate_limit_exceeded'],
  [500, OpenAI.InternalServerError, null],
  [503, OpenAI.InternalServerError, 'overloaded'],
]) {
  test(`a provider's ${status} passes unchanged`, gatewayOnly, async () => {
    const e = await failure(`faulty/status-${status}`);
    assert.ok(e instanceof kind, `${e}`);
    assert.equal(e.status, status);
    assert.equal(e.code, code);
    assert.ok(e.requestID);
    if (status === 429) assert.equal(e.headers.get('retry-after'), '7');
  });
}

test('a refused model is a permission error', gatewayOnly, async () => {
  const e = await failure('faulty/forbidden');
  assert.ok(e instanceof OpenAI.PermissionDeniedError);
  assert.equal(e.code, 'model_not_allowed');
});

test('an error midstream is raised', gatewayOnly, async () => {
  let seen = '';
  const stream = await client.chat.completions.create({ model: 'faulty/error-midstream', messages: ask('hi'), stream: true });
  await assert.rejects(async () => {
    for await (const chunk of stream) seen += chunk.choices[0].delta.content ?? '';
  }, OpenAI.APIError);
  assert.equal(seen, 'so far');
});
