/** Commands for what HTTP must not set. Pure. */

const UNQUOTED = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** @param {string} text @returns {string} One word of a POSIX shell. */
export function quoted(text) {
  return UNQUOTED.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}

/** @param {string} name @param {readonly string[]} engineArgs @returns {string} The command that sets the engine options of a model. */
export function engineArgsCommand(name, engineArgs) {
  const value = engineArgs.length > 0 ? engineArgs.map(quoted).join(" ") : "--flash-attn on";
  return `gglib set ${quoted(name)} --engine-args ${quoted(value)}`;
}
