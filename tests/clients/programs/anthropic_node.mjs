// The official Anthropic client.

import Anthropic from "@anthropic-ai/sdk";
import {
  CHAT, EMBED, FEW, HELLO, MORE, PARAMETERS, SMALL, TOOLS, TOOL_DESCRIPTION, TOOL_NAME, TOO_LONG, UNKNOWN,
  URL_BASE, check, checkArguments, collect, faultsOf, raises, run, twoAtOnce,
} from "./cases.mjs";

const client = new Anthropic({ baseURL: URL_BASE, apiKey: "none", timeout: 60_000 });
const messages = [{ role: "user", content: HELLO }];
const tool = { name: TOOL_NAME, description: TOOL_DESCRIPTION, input_schema: PARAMETERS };
const isOwn = (error) => error instanceof Anthropic.APIError;
const isMissing = (error) => error instanceof Anthropic.NotFoundError;
const isBad = (error) => error instanceof Anthropic.BadRequestError;

async function faultStream(model, onPart) {
  const patient = new Anthropic({ baseURL: URL_BASE, apiKey: "none", timeout: 30_000, maxRetries: 0 });
  await collect(await patient.messages.create({ model, max_tokens: 1000, messages, stream: true }), onPart);
}

await run({
  async plain() {
    const answer = await client.messages.create({ model: CHAT, max_tokens: FEW, messages });
    check(answer.content[0].text && answer.usage.output_tokens > 0, answer);
    check(["end_turn", "max_tokens"].includes(answer.stop_reason), answer);
    check(answer._request_id, "no request-id");
    const some = await client.messages.create({ model: "claude-opus-4-8", max_tokens: 2, messages });
    check(some.content.length, "claude-*");
  },
  async stream() {
    const events = client.messages.stream({ model: CHAT, max_tokens: FEW, messages });
    const kinds = (await collect(events)).map((event) => event.type);
    const final = await events.finalMessage();
    check(kinds.filter((kind) => kind === "content_block_delta").length > 2, kinds);
    check(kinds[0] === "message_start" && kinds.at(-1) === "message_stop", kinds);
    check(final.usage.output_tokens > 0, final);
  },
  async tools() {
    for (const tool_choice of [{ type: "any" }, { type: "tool", name: TOOL_NAME }]) {
      const answer = await client.messages.create({ model: TOOLS, max_tokens: MORE, messages, tools: [tool], tool_choice });
      const call = answer.content.find((block) => block.type === "tool_use");
      check(call?.id && call.name === TOOL_NAME, answer);
      checkArguments(call.input);
    }
    const final = await client.messages.stream({ model: TOOLS, max_tokens: MORE, messages, tools: [tool] }).finalMessage();
    check(final.stop_reason === "tool_use", final);
    checkArguments(final.content.find((block) => block.type === "tool_use").input);
  },
  async error() {
    await raises(isMissing, [CHAT, "not_found_error"], () =>
      client.messages.create({ model: UNKNOWN, max_tokens: FEW, messages }),
    );
  },
  async overflow() {
    const long = [{ role: "user", content: TOO_LONG }];
    for (const stream of [false, true]) {
      await raises(isBad, ["invalid_request_error", "prompt is too long:"], () =>
        client.messages.create({ model: SMALL, max_tokens: FEW, messages: long, stream }),
      );
    }
  },
  async parallel() {
    await twoAtOnce(async () => (await client.messages.create({ model: CHAT, max_tokens: FEW, messages })).content.length);
  },
  async more() {
    const counted = await client.messages.countTokens({ model: CHAT, messages });
    check(counted.input_tokens > 3, counted);
    const models = await collect(await client.models.list({ limit: 2 }));
    const chat = models.find((model) => model.id === CHAT);
    check(models.length >= 4 && chat?.type === "model" && chat.display_name && chat.created_at, models);
    await raises(isBad, ["invalid_request_error"], () =>
      client.messages.create({ model: EMBED, max_tokens: FEW, messages }),
    );
  },
  ...faultsOf(isOwn, faultStream),
});
