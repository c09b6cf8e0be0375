// Removes from README.md and docs/quick-start.md what is only true before the first release. `pnpm run version` runs it.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

for (const page of ["README.md", "docs/quick-start.md"]) {
  const path = fileURLToPath(new URL(`../../${page}`, import.meta.url));
  writeFileSync(path, readFileSync(path, "utf8").replace(/<!-- before the first release -->\n[\s\S]*?<!-- end -->\n\n/g, ""));
}
