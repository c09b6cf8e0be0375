import { join } from "node:path";
import { run } from "./run.ts";

process.exitCode = await run(process.argv.slice(2), process.env, {
  program: import.meta.filename,
  pageFolder: join(import.meta.dirname, "public"),
});
