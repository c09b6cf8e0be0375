// How a changeset appears in a CHANGELOG.md: as it was written. Versions of dependencies are left out, because all packages share one.

/** @param {{ summary: string }} changeset */
async function getReleaseLine({ summary }) {
  return `\n${summary.trim()}`;
}

async function getDependencyReleaseLine() {
  return "";
}

module.exports = { getReleaseLine, getDependencyReleaseLine };
