/** The text in the parts of a streamed response, whichever dialect it has. Pure. */

/**
 * @param {string} data The data of one event, or one line.
 * @returns {string} What it adds to the text: empty for other events, and the part itself if it is not JSON.
 */
export function textOfPart(data) {
  if (data === "[DONE]" || data.trim() === "") return "";
  let part;
  try {
    part = JSON.parse(data);
  } catch {
    return data;
  }
  if (part === null || typeof part !== "object") return "";
  return texts(part).filter((text) => typeof text === "string").join("");
}

/** @param {any} part @returns {unknown[]} */
function texts(part) {
  if (part.error) return [`\n[${typeof part.error === "string" ? part.error : part.error.message}]`];
  if (Array.isArray(part.choices)) return part.choices.flatMap(choiceTexts); // OpenAI: chat, completions
  if (typeof part.delta === "string") return [part.delta]; // OpenAI: responses
  if (part.delta) return [part.delta.thinking, part.delta.text, part.delta.partial_json]; // Anthropic
  if (part.message && typeof part.message.content === "string") return [part.message.thinking, part.message.content]; // Ollama: chat
  return [part.response, part.content]; // Ollama: generate; llama.cpp
}

/** @param {any} choice @returns {unknown[]} */
function choiceTexts(choice) {
  const calls = (choice.delta?.tool_calls ?? []).flatMap((/** @type {any} */ call) => [call.function?.name, call.function?.arguments]);
  return [choice.delta?.reasoning_content, choice.delta?.content, choice.text, ...calls];
}
