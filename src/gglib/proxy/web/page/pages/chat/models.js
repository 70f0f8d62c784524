/** The models to choose from, from `GET /v1/models`. Pure. */

/** @typedef {{id: string, base: string, isProfile: boolean, hasVision: boolean, canThink: boolean, description: string}} Choice `base`: the model of a profile. */

/** @param {any[]} data @returns {Choice[]} The models, aliases and profiles that can chat, in the order of the server. */
export function choicesOf(data) {
  const ids = new Set(data.map((model) => model.id));
  return data
    .filter((model) => model.capabilities?.includes("chat") ?? true)
    .map((model) => {
      const colon = model.id.lastIndexOf(":");
      const isProfile = colon > 0 && ids.has(model.id.slice(0, colon));
      return {
        id: model.id,
        base: isProfile ? model.id.slice(0, colon) : model.id,
        isProfile,
        hasVision: model.capabilities?.includes("vision") ?? false,
        canThink: model.capabilities?.includes("reasoning") ?? false,
        description: model.description ?? "",
      };
    });
}

/**
 * @param {readonly Choice[]} choices @param {(string | null | undefined)[]} wanted Names, the most wanted first.
 * @returns {Choice | null} The first that exists, else the first model.
 */
export function chosen(choices, wanted) {
  for (const name of wanted) {
    const found = choices.find((choice) => choice.id === name);
    if (found) return found;
  }
  return choices[0] ?? null;
}

const STATES = { ready: "in memory", loading: "loading", draining: "finishing its requests", stopping: "unloading" };

/** @param {Choice} choice @param {readonly {model_name: string, state: string}[]} residents @returns {string} */
export function choiceLabel(choice, residents) {
  const state = residents.find((resident) => resident.model_name === choice.base)?.state;
  const shown = STATES[/** @type {keyof typeof STATES} */ (state)];
  return shown ? `${choice.id} (${shown})` : choice.id;
}
