/**
 * Packed packages have no sources, so the export condition that leads to them stays behind.
 * @param {{ exports?: Record<string, string | Record<string, unknown>> }} manifest
 */
function beforePacking(manifest) {
  for (const entry of Object.values(manifest.exports ?? {})) if (typeof entry === "object") delete entry["@ratelimit/source"];
  return manifest;
}

module.exports = { hooks: { beforePacking } };
