// The program as a script. Prints a line for each thing that worked.
import { inProcess, inRedis } from "./program.mjs";

const [, , url = "", name = ""] = process.argv;
await inProcess();
console.log("in process");
await inRedis(url, name);
console.log("redis");
