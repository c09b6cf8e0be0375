/** Serves one framework on one backend, which the arguments name, in a separate process. */
import { backends } from "../../src/backends.ts";
import { frameworks } from "../../src/frameworks.ts";
import { serve } from "../../src/serve.ts";
import { readSettings } from "../../src/settings.ts";

const [backendName, frameworkName] = process.argv.slice(2);
const backend = backends.find(({ name }) => name === backendName)!;
const framework = frameworks.find(({ name }) => name === frameworkName)!;

// On a busy machine, wait for a slow Redis rather than decide locally.
const served = await serve({ backend, framework }, { ...readSettings(process.env), port: 0, outage: { outage: "throw", timeout: "10s" } });
console.log(`${served?.url}\n`);
process.once("SIGTERM", () => void served?.close());
