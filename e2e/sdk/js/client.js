// What every test shares: a client for the server under test, and the names of its models.
import OpenAI from 'openai';

export const gatewayOnly = process.env.SDK_GATEWAY ? {} : { skip: 'needs the gateway' };
export const withTools = process.env.SDK_TOOLS ? {} : { skip: 'needs the gateway with tools' };
export const model = (name) => (process.env.SDK_PREFIX ?? '') + name;
export const ask = (content) => [{ role: 'user', content }];

// No retries: each test says how often it asks.
export const client = new OpenAI({
  baseURL: process.env.SDK_BASE_URL,
  apiKey: 'unused',
  maxRetries: 0,
  timeout: 30_000,
});
