/** The images of a prompt: which are accepted, and their reading. */

const TYPES = ["image/png", "image/jpeg", "image/webp", "image/gif"];
const MAX_BYTES = 20_000_000;
const MAX_TOTAL_BYTES = 40_000_000;

/**
 * @param {readonly {type: string, size: number, name: string}[]} files @param {number} presentBytes Of the images that the prompt has.
 * @returns {string | null} Why they cannot be added; null: they can.
 */
export function imageProblem(files, presentBytes) {
  let total = presentBytes;
  for (const { type, size, name } of files) {
    total += size;
    if (!TYPES.includes(type)) return `${name || "The file"} is not a PNG, JPEG, WebP or GIF image.`;
    if (size > MAX_BYTES) return `${name} is larger than 20 MB: make it smaller first.`;
  }
  return total > MAX_TOTAL_BYTES ? "The images of one message can have 40 MB together: send fewer." : null;
}

/** @param {string} url A `data:` URL. @returns {number} The size of its content in bytes, about. */
export function imageBytes(url) {
  return Math.floor(((url.length - url.indexOf(",") - 1) * 3) / 4);
}

/** @param {File} file @returns {Promise<import("./conversation.js").Picture>} */
export function readImage(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve({ name: file.name || "image", url: String(reader.result) });
    reader.onerror = () => reject(new Error(`${file.name} could not be read.`));
    reader.readAsDataURL(file);
  });
}
