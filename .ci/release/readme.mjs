// Removes from the README what is only true before the first release. `pnpm run version` runs it.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const readme = fileURLToPath(new URL("../../README.md", import.meta.url));
writeFileSync(readme, readFileSync(readme, "utf8").replace(/<!-- before the first release -->\n[\s\S]*?<!-- end -->\n/g, ""));
