import type { Policy } from "@ratelimit/core";
import { partners } from "./limits.ts";
import type { Served } from "./serve.ts";

/** Returns what the demo prints when it has started: the servers, and what to try on them. */
export function guide(served: readonly Served[], policy: Policy): string {
  const [{ url = "" } = {}] = served;
  const sharing = served.filter(({ backend }) => backend.shared && backend === served.at(-1)?.backend);
  const tries = [...experiments(url, policy), ...(sharing.length > 0 ? [sharedBudget(sharing)] : [])];
  return `Open ${url}/ in a browser to see buckets fill and drain.

${listed(served)}

Try these with any of the addresses:
${tries.map(([line, shows]) => `\n  ${line}\n    ${shows}\n`).join("")}
Ctrl-C stops.`;
}

function listed(served: readonly Served[]): string {
  const width = Math.max(...served.map(({ framework }) => framework.name.length));
  const lines = served.map(({ backend, framework, url }, i) => {
    const { name, shared } = backend;
    const heading = `Buckets in ${name}, ${shared ? "which all servers share" : "each server has its own"}:\n`;
    return `${backend === served[i - 1]?.backend ? "" : heading}  ${framework.name.padEnd(width)}  ${url}`;
  });
  return lines.join("\n");
}

type Experiment = readonly [line: string, shows: string];

function experiments(url: string, { limits: [limit] }: Policy): Experiment[] {
  const { rate, period, burst } = limit;
  const wait = `${Number(((period * 1000) / rate).toFixed(3))} ms`;
  const keys = partners.join(" and ");
  return [
    [statuses(burst + 5, `${url}/api/data`), `${burst} times 200, then 429, and one more 200 every ${wait}`],
    [`curl -i ${url}/api/data`, `X-RateLimit-Limit: ${rate} (per ${period} s), the requests left, and a Retry-After if it is a 429`],
    [statuses(12, `${url}/api/public`), "10 times 200, then 429: 10 per minute for each address"],
    [
      statuses(102, `${url}/api/user`, '-H "X-User: ada"'),
      "100 times 200, then 429: 100 per minute for each user (a toy authentication that trusts X-User)",
    ],
    [
      `curl -i -H "X-API-Key: ${partners[0]}" ${url}/api/partner`,
      `1000 per hour for each of the keys ${keys}; requests with any other key are limited by address`,
    ],
    [statuses(12, `${url}/api/report`), "10 times 200, then 429: 10 per second and 20 per hour, so it works only twice"],
    [`curl -i ${url}/health`, "always 200, without X-RateLimit headers: this path is excluded"],
  ];
}

function sharedBudget(sharing: readonly Served[]): Experiment {
  const ports = sharing.map(({ url }) => new URL(url).port).join();
  return [
    statuses(4, `http://127.0.0.1:{${ports}}/api/public`),
    "12 requests, 4 to each of three servers on one budget: 10 times 200, then 429",
  ];
}

/** One curl sends all requests, because starting a new one for each would let tokens flow back. */
function statuses(times: number, url: string, options: string = ""): string {
  return `curl -s -o /dev/null -w "%{http_code} " ${options}${options && " "}"${url}?[1-${times}]"; echo`;
}
