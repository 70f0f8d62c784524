/** Keeps the conversation in this tab, until it is closed. */

const NAME = "gglib.chat";
const MAX_IMAGE_CHARS = 3_000_000; // browsers keep about 5 million characters

/** @typedef {{model: string, settings: import("./settings.js").Settings, messages: import("./conversation.js").Message[]}} Stored */

/** @returns {Stored | null} */
export function readChat() {
  try {
    const stored = JSON.parse(sessionStorage.getItem(NAME) ?? "null");
    return Array.isArray(stored?.messages) && typeof stored.settings === "object" && typeof stored.model === "string" ? stored : null;
  } catch {
    return null; // storage is disabled, or another version wrote it
  }
}

/** @param {Stored} chat Without its images if the tab has no room for them, which is said where they were. */
export function writeChat(chat) {
  const size = chat.messages.flatMap(imagesOf).reduce((sum, image) => sum + image.url.length, 0);
  if (size < MAX_IMAGE_CHARS && write(chat)) return;
  const messages = chat.messages.map((message) => message.role === "user" ? { ...message, images: imagesOf(message).map(({ name }) => ({ name, url: "" })) } : message);
  write({ ...chat, messages });
}

/** @param {import("./conversation.js").Message} message */
function imagesOf(message) {
  return message.role === "user" ? message.images : [];
}

/** @param {Stored} chat @returns {boolean} Whether there was room. */
function write(chat) {
  try {
    sessionStorage.setItem(NAME, JSON.stringify(chat));
    return true;
  } catch {
    return false;
  }
}
