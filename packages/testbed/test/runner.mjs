// A process that starts servers and then ends as its argument says. leftovers.test.ts runs it.
import { fork } from "node:child_process";
import { once } from "node:events";
import { pathToFileURL } from "node:url";

const [how, bundle] = process.argv.slice(2);
const testbed = /** @type {typeof import("../src/index.ts")} */ (await import(pathToFileURL(bundle).href));

if (how === "forks") {
  const worker = fork(import.meta.filename, ["is a worker", bundle], { stdio: "inherit" });
  await once(worker, "message");
  process.exit(0);
}

if (how === "killed while it starts") {
  const starting = testbed.startSentinel();
  console.log(JSON.stringify({ pids: [] }));
  await starting;
}

if (how === "has a namespace") {
  const namespace = await testbed.makeNamespace();
  const { server } = await testbed.startStandalone({ namespace });
  console.log(JSON.stringify({ pids: [server.pid], namespace: namespace.name }));
  await new Promise(() => setInterval(() => {}, 1000));
}

const standalone = await testbed.startStandalone();
const sentinel = await testbed.startSentinel({ sentinels: 1 });
await standalone.server.restart();
const dead = await testbed.startStandalone();
await dead.server.kill(); // its folder is kept for a restart that never comes
standalone.server.pause(); // a frozen server has to end too
const servers = [standalone.server, sentinel.master, ...sentinel.replicas, ...sentinel.sentinels, dead.server];
const pids = servers.map((server) => server.pid);
if (how === "is a worker") pids.unshift(process.pid);
console.log(JSON.stringify({ pids }));
process.send?.("ready");

if (how === "throws") throw new Error("Thrown by the test.");
if (how === "exits") process.exit(3);
if (how !== "ends") setInterval(() => {}, 1000);
