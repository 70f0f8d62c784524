// The official Ollama client.

import { Ollama } from "ollama";
import {
  CHAT, EMBED, FEW, HELLO, MORE, PARAMETERS, SMALL, TOOLS, TOOL_DESCRIPTION, TOOL_NAME, TOO_LONG, UNKNOWN,
  URL_BASE, check, checkArguments, collect, faultsOf, raises, run, twoAtOnce,
} from "./cases.mjs";

const client = new Ollama({ host: URL_BASE });
const messages = [{ role: "user", content: HELLO }];
const options = { num_predict: FEW };
const tools = [{ type: "function", function: { name: TOOL_NAME, description: TOOL_DESCRIPTION, parameters: PARAMETERS } }];
// The client raises plain errors in the middle of a stream, and its ResponseError (not exported) before.
const isOwn = (error) => error instanceof Error && !/fetch failed|terminated|did not receive done/i.test(error.message);
const isStatus = (status) => (error) => error.name === "ResponseError" && error.status_code === status;

async function faultStream(model, onPart) {
  await collect(await client.chat({ model, messages, stream: true }), onPart);
}

await run({
  async plain() {
    const answer = await client.chat({ model: CHAT, messages, options });
    check(answer.message.content && answer.done && answer.eval_count > 0 && answer.total_duration > 0, answer);
    check(["stop", "length"].includes(answer.done_reason), answer);
  },
  async stream() {
    const parts = await collect(await client.chat({ model: CHAT, messages, options, stream: true }));
    check(parts.filter((part) => part.message.content).length > 3, `${parts.length} parts`);
    check(parts.at(-1).done && parts.at(-1).eval_count > 0, parts.at(-1));
  },
  async tools() {
    const answer = await client.chat({ model: TOOLS, messages, tools, options: { num_predict: MORE } });
    check(answer.message.tool_calls?.[0].function.name === TOOL_NAME, answer);
    checkArguments(answer.message.tool_calls[0].function.arguments);
    const parts = await collect(await client.chat({ model: TOOLS, messages, tools, options: { num_predict: MORE }, stream: true }));
    const calls = parts.flatMap((part) => part.message.tool_calls ?? []);
    check(calls.length, parts.at(-1));
    checkArguments(calls[0].function.arguments);
  },
  async error() {
    for (const stream of [false, true]) {
      await raises(isStatus(404), [CHAT], () => client.chat({ model: UNKNOWN, messages, stream }));
    }
    await raises(isStatus(404), [], () => client.show({ model: UNKNOWN }));
  },
  async overflow() {
    await raises(isStatus(400), ["context"], () =>
      client.chat({ model: SMALL, messages: [{ role: "user", content: TOO_LONG }] }),
    );
  },
  async parallel() {
    await twoAtOnce(async () => (await client.chat({ model: CHAT, messages, options })).message.content);
  },
  async more() {
    const { models } = await client.list();
    check(models.some((model) => model.model.startsWith(CHAT)), models);
    const shown = await client.show({ model: TOOLS });
    check(shown.capabilities.includes("tools") && shown.details, shown);
    check(Array.isArray((await client.ps()).models), "ps");
    const version = await client.version();
    check(/^\d+\.\d+\.\d+/.test(version.version), version);
    const text = await client.generate({ model: CHAT, prompt: "Once", options });
    check(text.response && text.done, text);
    const vectors = await client.embed({ model: EMBED, input: ["one", "two"] });
    check(vectors.embeddings.length === 2, vectors);
  },
  ...faultsOf(isOwn, faultStream),
});
