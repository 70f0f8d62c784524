// Runs the cases of one client and writes their results: the same contract as cases.py. No packages.

import { appendFileSync } from "node:fs";

const env = process.env;
export const URL_BASE = env.GGLIB_URL;
export const { CHAT, SMALL, TOOLS, EMBED, UNKNOWN, VARIANT } = env;
export const HELLO = "Write a sentence about the sea.";
export const TOO_LONG = "one two three four ".repeat(1500);
export const FEW = 12;
export const MORE = 200;
export const TOOL_NAME = "get_weather";
export const TOOL_DESCRIPTION = "Return the current weather of a city.";
export const CITIES = ["Paris", "Rome"];
export const PARAMETERS = {
  type: "object",
  properties: { city: { type: "string", enum: CITIES, description: "The city" } },
  required: ["city"],
};

export class NotApplicable extends Error {}

export function check(condition, message) {
  if (!condition) throw new Error(typeof message === "string" ? message : JSON.stringify(message));
}

export function checkArguments(given) {
  const parsed = typeof given === "string" ? JSON.parse(given) : given;
  check(CITIES.includes(parsed.city), `arguments: ${JSON.stringify(given)}`);
}

// Expects an error for which `isOwn` holds: the client's own kind; its text has all of `words` (case ignored).
export async function raises(isOwn, words, call) {
  let failure;
  try {
    await call();
  } catch (error) {
    failure = error;
  }
  check(failure !== undefined, "nothing was raised");
  const text = textOf(failure);
  check(isOwn(failure), `not the client's own error: ${text}`);
  const missing = words.filter((word) => !text.toLowerCase().includes(word.toLowerCase()));
  check(missing.length === 0, `without ${missing}: ${text}`);
}

export async function twoAtOnce(call) {
  const results = await Promise.all([call(), call()]);
  check(results.every(Boolean), results);
}

export async function collect(parts, onPart = () => {}) {
  const all = [];
  for await (const part of parts) {
    all.push(part);
    onPart(part, all.length);
  }
  return all;
}

// The faults of a stream: `read(model, onPart)` reads one to its end, and an error for which `isOwn` holds is expected.
export function faultsOf(isOwn, read) {
  const afterSome = (kind, model) => async () => {
    let received = 0;
    await raises(kind, [], () => read(model, () => (received += 1)));
    check(received > 2, "it failed before the first part");
  };
  return {
    died: afterSome(isOwn, "dies"),
    // In the middle of an event: the client may raise what its parser raises.
    torn: afterSome(() => true, "tears"),
    stalled: afterSome(isOwn, "stalls"),
    late_load: () => raises(isOwn, ["scripted failure"], () => read("fails-late")),
    shutdown: () => raises(isOwn, [], () => read("slow", (part, number) => number === 3 && interruptServer())),
  };
}

function interruptServer() {
  process.kill(Number(env.GGLIB_PID), "SIGINT");
}

function textOf(error) {
  const more = error?.responseBody ?? error?.error ?? error?.cause ?? "";
  const detail = more instanceof Error ? String(more) : JSON.stringify(more);
  return `${error?.name ?? error?.constructor?.name}: ${error?.message ?? JSON.stringify(error)} ${detail}`;
}

function write(name, result, detail, startedMs) {
  const line = {
    case: name,
    result,
    detail: detail.replace(/\s+/g, " ").slice(0, 600),
    seconds: Math.round((Date.now() - startedMs) / 10) / 100,
  };
  appendFileSync(env.RESULTS, `${JSON.stringify(line)}\n`);
}

export async function run(cases) {
  // A client that drops a promise of its own must not end the process before the result is written.
  process.on("unhandledRejection", () => {});
  for (const name of env.CASES.split(",")) {
    const startedMs = Date.now();
    const watchdog = setTimeout(
      () => {
        write(name, "failed", "no result within the time limit", startedMs);
        process.exit(3);
      },
      1000 * Number(env.CASE_LIMIT_S ?? 60),
    );
    try {
      if (!(name in cases)) throw new NotApplicable("no such case in the program");
      await cases[name]();
      write(name, "ok", "", startedMs);
    } catch (error) {
      if (error instanceof NotApplicable) write(name, "n.a.", error.message, startedMs);
      else write(name, "failed", textOf(error), startedMs);
    }
    clearTimeout(watchdog);
  }
  process.exit(0);
}
