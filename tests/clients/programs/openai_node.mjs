// The official OpenAI client: chat completions, or with VARIANT=responses the Responses API.

import OpenAI from "openai";
import {
  CHAT, EMBED, FEW, HELLO, MORE, PARAMETERS, SMALL, TOOLS, TOOL_DESCRIPTION, TOOL_NAME, TOO_LONG, UNKNOWN,
  URL_BASE, VARIANT, check, checkArguments, collect, faultsOf, raises, run, twoAtOnce,
} from "./cases.mjs";

const client = new OpenAI({ baseURL: `${URL_BASE}/v1`, apiKey: "none", timeout: 60_000 });
const messages = [{ role: "user", content: HELLO }];
const tool = { type: "function", function: { name: TOOL_NAME, description: TOOL_DESCRIPTION, parameters: PARAMETERS } };
const responseTool = { type: "function", name: TOOL_NAME, description: TOOL_DESCRIPTION, parameters: PARAMETERS, strict: false };
const isOwn = (error) => error instanceof OpenAI.APIError;
const isMissing = (error) => error instanceof OpenAI.NotFoundError;
const isBad = (error) => error instanceof OpenAI.BadRequestError;

const chat = {
  async plain() {
    const answer = await client.chat.completions.create({ model: CHAT, messages, max_tokens: FEW });
    check(answer.choices[0].message.content && answer.usage.completion_tokens > 0, answer);
    check(["stop", "length"].includes(answer.choices[0].finish_reason), answer);
  },
  async stream() {
    const chunks = await collect(
      await client.chat.completions.create({
        model: CHAT, messages, max_tokens: FEW, stream: true, stream_options: { include_usage: true },
      }),
    );
    check(chunks.length > 3, `${chunks.length} chunks`);
    check(chunks.filter((chunk) => chunk.choices[0]?.finish_reason).length === 1, chunks.at(-2));
    check(chunks.at(-1).usage.completion_tokens > 0, chunks.at(-1));
  },
  async tools() {
    for (const tool_choice of ["required", { type: "function", function: { name: TOOL_NAME } }]) {
      const answer = await client.chat.completions.create({
        model: TOOLS, messages, max_tokens: MORE, tools: [tool], tool_choice,
      });
      const calls = answer.choices[0].message.tool_calls;
      check(calls?.[0].id && calls[0].function.name === TOOL_NAME, answer);
      checkArguments(calls[0].function.arguments);
    }
    const runner = client.chat.completions.stream({ model: TOOLS, messages, max_tokens: MORE, tools: [tool] });
    const final = await runner.finalChatCompletion();
    check(final.choices[0].finish_reason === "tool_calls", final);
    checkArguments(final.choices[0].message.tool_calls[0].function.arguments);
  },
  async error() {
    await raises(isMissing, [CHAT], () => client.chat.completions.create({ model: UNKNOWN, messages }));
    await raises(isMissing, [CHAT], () => client.models.retrieve(UNKNOWN));
  },
  async overflow() {
    for (const stream of [false, true]) {
      await raises(isBad, ["context_length_exceeded"], () =>
        client.chat.completions.create({ model: SMALL, stream, messages: [{ role: "user", content: TOO_LONG }] }),
      );
    }
  },
  async parallel() {
    await twoAtOnce(async () => {
      const answer = await client.chat.completions.create({ model: CHAT, messages, max_tokens: FEW });
      return answer.choices[0].message.content;
    });
  },
  async more() {
    const names = (await collect(await client.models.list())).map((model) => model.id);
    check(names.includes(CHAT) && names.includes(EMBED), names);
    const vectors = await client.embeddings.create({ model: EMBED, input: ["one", "two"] });
    check(vectors.data.length === 2 && vectors.data[0].embedding.length > 8, vectors);
    const text = await client.completions.create({ model: CHAT, prompt: "Once", max_tokens: 4 });
    check(text.choices[0].text, text);
    await raises(isBad, [], () => client.embeddings.create({ model: CHAT, input: "one" }));
  },
};

const responses = {
  async plain() {
    const answer = await client.responses.create({ model: CHAT, input: HELLO, max_output_tokens: FEW });
    check(answer.output_text && answer.usage.output_tokens > 0, answer);
  },
  async stream() {
    const events = client.responses.stream({ model: CHAT, input: HELLO, max_output_tokens: FEW });
    const kinds = (await collect(events)).map((event) => event.type);
    const final = await events.finalResponse();
    check(kinds.filter((kind) => kind === "response.output_text.delta").length > 2, kinds);
    for (const needed of ["response.created", "response.output_item.added", "response.output_item.done"]) {
      check(kinds.includes(needed), `no ${needed}: ${[...new Set(kinds)]}`);
    }
    check(final.usage.output_tokens > 0, final);
  },
  async tools() {
    for (const tool_choice of ["required", { type: "function", name: TOOL_NAME }]) {
      const answer = await client.responses.create({
        model: TOOLS, input: HELLO, max_output_tokens: MORE, tools: [responseTool], tool_choice,
      });
      const call = answer.output.find((item) => item.type === "function_call");
      check(call?.call_id, answer);
      checkArguments(call.arguments);
    }
    const events = client.responses.stream({ model: TOOLS, input: HELLO, max_output_tokens: MORE, tools: [responseTool] });
    await collect(events);
    const final = await events.finalResponse();
    checkArguments(final.output.find((item) => item.type === "function_call").arguments);
  },
  async error() {
    await raises(isMissing, [CHAT], () => client.responses.create({ model: UNKNOWN, input: HELLO }));
  },
  async overflow() {
    for (const stream of [false, true]) {
      await raises(isBad, ["context_length_exceeded"], () =>
        client.responses.create({ model: SMALL, input: TOO_LONG, stream }),
      );
    }
  },
  async parallel() {
    await twoAtOnce(async () => {
      const answer = await client.responses.create({ model: CHAT, input: HELLO, max_output_tokens: FEW });
      return answer.output_text;
    });
  },
  async more() {
    const format = {
      type: "json_schema", name: "size", strict: true,
      schema: { type: "object", properties: { is_large: { type: "boolean" } }, required: ["is_large"], additionalProperties: false },
    };
    const answer = await client.responses.parse({ model: TOOLS, input: HELLO, max_output_tokens: MORE, text: { format } });
    check(typeof JSON.parse(answer.output_text).is_large === "boolean", answer);
  },
};

async function faultStream(model, onPart) {
  const patient = new OpenAI({ baseURL: `${URL_BASE}/v1`, apiKey: "none", timeout: 30_000, maxRetries: 0 });
  const parts =
    VARIANT === "responses"
      ? await patient.responses.create({ model, input: HELLO, stream: true })
      : await patient.chat.completions.create({ model, messages, stream: true });
  await collect(parts, onPart);
}

await run({ ...(VARIANT === "responses" ? responses : chat), ...faultsOf(isOwn, faultStream) });
