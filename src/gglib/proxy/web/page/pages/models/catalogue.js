/** The models of the catalogue with their fit and state, kept current while the page is shown. */

import { api, connection, status, useEffect, useLoad, useMemo } from "../../ui/kit.js";
import { joined } from "./listing.js";

/**
 * @typedef {import("./listing.js").Row} Row
 * @typedef {import("../../lib/api_types.js").Memory} Memory
 */

const REFRESH_MS = 20_000;

/** @returns {{rows: Row[] | null, memory: Memory | null, error: Error | null, reload: () => Promise<void>}} `rows`: null before the first response. */
export function useCatalogue() {
  const residents = status.value?.residents ?? [];
  const loaded = residents.map((resident) => `${resident.model_id} ${resident.state}`).join();
  const inputs = [loaded, connection.value === "live"];
  const models = useLoad((signal) => api.get("/gglib/models", { signal }), inputs);
  const fits = useLoad((signal) => api.get("/gglib/fits", { signal }), inputs);
  const reload = async () => void (await Promise.all([models.reload(), fits.reload()]));
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) void models.reload();
    }, REFRESH_MS);
    return () => clearInterval(timer);
  }, [models.reload]);
  const rows = useMemo(
    () => (models.value === null ? null : joined(models.value.models, fits.value?.fits ?? [], residents)),
    [models.value, fits.value, residents],
  );
  return { rows, memory: fits.value?.memory ?? null, error: models.error, reload };
}
