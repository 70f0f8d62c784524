/** What was typed into the search: words, a repository, or a target that can be pulled as it is. Pure. */

const NAME = "[A-Za-z0-9][A-Za-z0-9._-]*";
const REPOSITORY = new RegExp(`^${NAME}/${NAME}$`);
const TARGET = new RegExp(`^${NAME}/${NAME}(?:(?:/[^:@\\s]+\\.gguf)|:[^\\s@/]+)?(?:@[^\\s]+)?$`, "i");
const HUB_PAGE = new RegExp(`^https?://(?:www\\.)?(?:huggingface\\.co|hf\\.co)/(${NAME}/${NAME})(?:/tree/[^/]+)?/?$`);

/** @param {string} text @returns {string | null} `owner/name`, if the text is one, or the URL of its page on the hub. */
export function repositoryOf(text) {
  const trimmed = text.trim();
  if (REPOSITORY.test(trimmed)) return trimmed;
  return HUB_PAGE.exec(trimmed)?.[1] ?? null;
}

/**
 * @param {string} text
 * @returns {string | null} The target for `POST /gglib/downloads`, if the text names one model: `owner/repo:QUANT`,
 *   `owner/repo/FILE.gguf` or the URL of a GGUF file. A repository alone is none: it is shown with its models.
 */
export function targetOf(text) {
  const trimmed = text.trim();
  if (/^https?:\/\/\S+\.gguf(?:\?\S*)?$/i.test(trimmed)) return trimmed;
  return TARGET.test(trimmed) && !REPOSITORY.test(trimmed) ? trimmed : null;
}

/** @param {string} text @returns {boolean} Whether it is a URL with a query, which may be a signature: none for the history of the browser. */
export function isSecret(text) {
  return /^https?:\/\/[^\s?#]*[?#]/i.test(text.trim());
}

/** @param {string} target @returns {string} The target as downloads have it: a URL without its query. */
export function listedTarget(target) {
  return target.includes("://") ? target.replace(/[?#].*$/s, "") : target;
}

/**
 * @param {string} text What was typed.
 * @returns {{target: string | null, repo: string | null, words: string}} A target to pull, the repository to show, and
 *   the words to search for; a repository is not searched for.
 */
export function questionOf(text) {
  const target = targetOf(text);
  const repo = repositoryOf(text) ?? (target === null || target.includes("://") ? null : target.split(/[/:@]/).slice(0, 2).join("/"));
  return { target, repo, words: target === null && repo === null ? text.trim() : "" };
}
