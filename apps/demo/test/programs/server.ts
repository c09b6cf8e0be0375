/** The program of a process of its own that serves one framework on one backend, as its arguments and the environment say. */
import { backends } from "../../src/backends.ts";
import { frameworks } from "../../src/frameworks.ts";
import { serve } from "../../src/serve.ts";
import { readSettings } from "../../src/settings.ts";

const [backendName, frameworkName] = process.argv.slice(2);
const backend = backends.find(({ name }) => name === backendName)!;
const framework = frameworks.find(({ name }) => name === frameworkName)!;

// A test on a busy machine waits for a slow Redis: nothing stands in for it.
const served = await serve({ backend, framework }, { ...readSettings(process.env), port: 0, outage: { outage: "throw", timeout: "10s" } });
console.log(`${served?.url}\n`);
process.once("SIGTERM", () => void served?.close());
