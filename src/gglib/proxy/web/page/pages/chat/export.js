/** Saves the chat as a file. */

import { asJson, asMarkdown } from "./conversation.js";
import { requestFields } from "./settings.js";
import { messages, settings } from "./state.js";

/** @param {"md" | "json"} format @param {import("./models.js").Choice} choice */
export function exportChat(format, choice) {
  const chat = {
    model: choice.id,
    system: settings.value.system ?? "",
    messages: messages.value,
    fields: requestFields(settings.value, { isProfile: choice.isProfile }),
  };
  const text = format === "md" ? asMarkdown(chat) : asJson(chat);
  const url = URL.createObjectURL(new Blob([text], { type: format === "md" ? "text/markdown" : "application/json" }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = `chat-${choice.base.replace(/[^\w.-]+/g, "-")}.${format}`;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
