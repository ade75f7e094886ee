// Node's packages against a gateway: node sdk.mjs URL MODEL... Prints one line of JSON a try: [name, what it got].
import { embed, generateText, streamText } from 'ai';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import Anthropic from '@anthropic-ai/sdk';
import { Ollama } from 'ollama';
import OpenAI from 'openai';

const [url, embedder, ...models] = process.argv.slice(2);
const prompt = 'hello there';
const messages = [{ role: 'user', content: prompt }];
const baseURL = `${url}/v1`;
const apiKey = 'none';

async function tried(name, work) {
  let got;
  try {
    got = await work();
  } catch (error) {
    got = `${error}`;
  }
  console.log(JSON.stringify([name, got]));
}

async function joined(pieces) {
  let text = '';
  for await (const piece of pieces) text += piece;
  return text;
}

const openai = new OpenAI({ baseURL, apiKey });
const anthropic = new Anthropic({ baseURL: url, apiKey });
const ollama = new Ollama({ host: `${url}/ollama` });
const ai = createOpenAI({ baseURL, apiKey });
const compatible = createOpenAICompatible({ name: 'konsilium', baseURL, apiKey });
const claude = createAnthropic({ baseURL, apiKey });

for (const model of models) {
  const faces = { responses: ai(model), chat: ai.chat(model), compatible: compatible(model), messages: claude(model) };
  for (const [face, asked] of Object.entries(faces)) {
    await tried(`ai, ${face}, ${model}`, async () => (await generateText({ model: asked, prompt })).text);
    await tried(`ai, ${face}, a stream, ${model}`, () => joined(streamText({ model: asked, prompt }).textStream));
  }
  await tried(`openai, ${model}`, async () => {
    return (await openai.chat.completions.create({ model, messages })).choices[0].message.content;
  });
  await tried(`openai, responses, ${model}`, async () => (await openai.responses.create({ model, input: prompt })).output_text);
  await tried(`@anthropic-ai/sdk, ${model}`, async () => {
    return (await anthropic.messages.create({ model, max_tokens: 50, messages })).content[0].text;
  });
  await tried(`ollama, ${model}`, async () => (await ollama.chat({ model, messages })).message.content);
}
await tried(`ai, embeddings, ${embedder}`, async () => {
  const { embedding } = await embed({ model: compatible.embeddingModel(embedder), value: prompt });
  return embedding.length > 9 ? prompt : `${embedding}`;
});
