import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The path of a Chromium; `undefined` if there is none. CHROMIUM names one that is not on the PATH. */
export function findChromium(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const folders = (env["PATH"] ?? "").split(delimiter);
  const named = ["chromium", "chromium-browser", "google-chrome"].flatMap((name) => folders.map((folder) => join(folder, name)));
  return [env["CHROMIUM"] ?? "", ...named].find((path) => path !== "" && existsSync(path));
}
