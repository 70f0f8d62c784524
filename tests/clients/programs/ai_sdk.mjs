// The AI SDK with one of its providers: VARIANT is responses, compatible, anthropic or ollama.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, embed, generateObject, generateText, streamText, tool } from "ai";
import { createOllama } from "ollama-ai-provider-v2";
import { z } from "zod";
import {
  CHAT, CITIES, EMBED, FEW, HELLO, MORE, NotApplicable, SMALL, TOOLS, TOOL_DESCRIPTION, TOOL_NAME, TOO_LONG, UNKNOWN,
  URL_BASE, VARIANT, check, checkArguments, raises, run, twoAtOnce,
} from "./cases.mjs";

const v1 = `${URL_BASE}/v1`;
const providers = {
  responses: () => createOpenAI({ baseURL: v1, apiKey: "none" }),
  compatible: () => createOpenAICompatible({ name: "gglib", baseURL: v1, includeUsage: true, supportsStructuredOutputs: true }),
  anthropic: () => createAnthropic({ baseURL: v1, apiKey: "none" }),
  ollama: () => createOllama({ baseURL: `${URL_BASE}/api` }),
};
const provider = providers[VARIANT]();
const get_weather = tool({
  description: TOOL_DESCRIPTION,
  inputSchema: z.object({ city: z.enum(CITIES).describe("The city") }),
});
const isOwn = (error) => APICallError.isInstance(error);

async function streamed(settings) {
  let failure;
  const result = streamText({ ...settings, maxRetries: 0, onError: ({ error }) => { failure = error; } });
  let parts = 0;
  for await (const text of result.textStream) parts += text ? 1 : 0;
  if (failure) throw failure;
  return { result, parts };
}

await run({
  async plain() {
    const answer = await generateText({ model: provider(CHAT), prompt: HELLO, maxOutputTokens: FEW, maxRetries: 0 });
    check(answer.text && answer.usage.outputTokens > 0, answer.response);
    check(["stop", "length"].includes(answer.finishReason), answer.finishReason);
  },
  async stream() {
    const { result, parts } = await streamed({ model: provider(CHAT), prompt: HELLO, maxOutputTokens: FEW });
    check(parts > 3, `${parts} parts`);
    check((await result.usage).outputTokens > 0, await result.usage);
    check(["stop", "length"].includes(await result.finishReason), await result.finishReason);
  },
  async tools() {
    const settings = { model: provider(TOOLS), prompt: HELLO, maxOutputTokens: MORE, tools: { get_weather } };
    const answer = await generateText({ ...settings, maxRetries: 0 });
    check(answer.toolCalls[0]?.toolName === TOOL_NAME, answer.response);
    checkArguments(answer.toolCalls[0].input);
    const { result } = await streamed(settings);
    checkArguments((await result.toolCalls)[0].input);
  },
  async error() {
    await raises(isOwn, [CHAT], () => generateText({ model: provider(UNKNOWN), prompt: HELLO, maxRetries: 0 }));
    await raises(isOwn, [CHAT], () => streamed({ model: provider(UNKNOWN), prompt: HELLO }));
  },
  async overflow() {
    const said = VARIANT === "anthropic" ? "prompt is too long" : "context";
    await raises(isOwn, [said], () => generateText({ model: provider(SMALL), prompt: TOO_LONG, maxRetries: 0 }));
    // The provider for Ollama does not read {"error": "text"}: its message is the status, with Ollama's server, too.
    if (VARIANT === "ollama") return;
    await raises((error) => !/^bad request$/i.test(error.message), [], () =>
      generateText({ model: provider(SMALL), prompt: TOO_LONG, maxRetries: 0 }),
    );
  },
  async parallel() {
    await twoAtOnce(async () => (await generateText({ model: provider(CHAT), prompt: HELLO, maxOutputTokens: FEW })).text);
  },
  async more() {
    const schema = z.object({ is_large: z.boolean() });
    const object = await generateObject({ model: provider(TOOLS), schema, prompt: HELLO, maxOutputTokens: MORE, maxRetries: 0 });
    check(typeof object.object.is_large === "boolean", object.object);
    if (VARIANT === "anthropic") return;
    const model = VARIANT === "responses" ? provider.embedding(EMBED) : provider.textEmbeddingModel(EMBED);
    check((await embed({ model, value: "one" })).embedding.length > 8, "embedding");
  },
});
