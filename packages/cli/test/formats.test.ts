import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type ReplayOptions, replayReport } from "../src/commands/replay.ts";
import type { Report } from "../src/report/report.ts";
import { cli, json } from "./support/cli.ts";
import { file } from "./support/folder.ts";
import { at, line, lines, noon } from "./support/log.ts";

const requests = [...at("192.0.2.1", 0, 0, 0), ...at("192.0.2.2", 5), ...at("192.0.2.1", 30)];
const seconds = noon / 1000;

function counted(content: string | Buffer, options: Partial<ReplayOptions> = {}): Promise<Report> {
  return replayReport([file("log", content)], { key: "ip", format: "auto", top: 3, limit: ["2/1m"], ...options });
}

test.for(Object.entries(line))("%s: is recognized and read", async ([name, write]) => {
  const report = await counted(lines(requests, write));
  expect(report).toMatchObject({ formats: [name], requests: 5, clients: 2, lines: { read: 5, bad: 0 }, policies: [{ refused: 1 }] });
  expect(report.from).toBe("2026-11-24T12:00:00.000Z");
});

test("gzip is recognized by its content, also if a log was appended to another", async () => {
  const [first, second] = [lines(requests.slice(0, 2)), lines(requests.slice(2))];
  const report = await counted(Buffer.concat([gzipSync(first), gzipSync(second)]));
  expect(report).toMatchObject({ requests: 5, policies: [{ refused: 1 }] });
});

test.for([
  ["plain", lines(requests)],
  ["gzipped", gzipSync(lines(requests))],
] as const)("standard input, %s", async ([, input]) => {
  const report = await json<Report>(["replay", "-", "--limit", "2/1m"], { input: [input] });
  expect(report).toMatchObject({ files: ["-"], requests: 5, policies: [{ refused: 1 }] });
});

test("lines may end in CR LF, the last one in nothing, and a line may be split anywhere", async () => {
  const text = lines(requests).replaceAll("\n", "\r\n").trimEnd();
  const input = [...text].map((character) => character);
  const report = await json<Report>(["replay", "-", "--limit", "2/1m"], { input });
  expect(report).toMatchObject({ requests: 5, lines: { bad: 0 }, policies: [{ refused: 1 }] });
});

test.for(Object.entries(line))("%s: a byte order mark does not count, in each file and however it is split", async ([, write]) => {
  const marked = `\ufeff${lines(requests, write)}`;
  const files = [file("access.log", marked), file("access.log.1", gzipSync(marked))];
  const report = await replayReport(files, { key: "ip", format: "auto", top: 3, limit: ["2/1m"] });
  expect(report).toMatchObject({ requests: 10, clients: 2, lines: { bad: 0 } });
  const input = [...Buffer.from(marked)].map((byte) => Buffer.from([byte]));
  expect(await json<Report>(["replay", "-", "--limit", "2/1m"], { input })).toMatchObject({ requests: 5, clients: 2, lines: { bad: 0 } });
});

describe("times", () => {
  test.for([
    ["an offset", `192.0.2.1 - - [24/Nov/2026:13:30:00 +0130] "GET / HTTP/1.1" 200 5`],
    ["a negative offset", `192.0.2.1 - - [24/Nov/2026:07:00:00 -0500] "GET / HTTP/1.1" 200 5`],
    ["ISO in JSON", `{"timestamp":"2026-11-24T12:00:00Z","ip":"192.0.2.1"}`],
    ["ISO with an offset", `{"@timestamp":"2026-11-24T14:00:00+02:00","client_ip":"192.0.2.1"}`],
    ["ISO without a zone is UTC", `{"time":"2026-11-24 12:00:00","ip":"192.0.2.1"}`],
    ["seconds, as Caddy writes them", `{"ts":${seconds}.25,"request":{"remote_ip":"192.0.2.1"}}`],
    ["milliseconds, as pino writes them", `{"time":${noon},"req":{"remoteAddress":"192.0.2.1"}}`],
    ["nanoseconds", `{"time":${noon}000000,"ip":"192.0.2.1"}`],
    ["seconds in a string, as nginx writes $msec", `{"msec":"${seconds}.000","remote_addr":"192.0.2.1"}`],
    ["the time of Apache in JSON", `{"time_local":"24/Nov/2026:12:00:00 +0000","remote_addr":"192.0.2.1"}`],
  ])("%s", async ([, text]) => {
    const { from, policies } = await counted(`${text}\n${text}\n${text}\n`);
    expect(from?.slice(0, 19)).toBe("2026-11-24T12:00:00");
    expect(policies).toMatchObject([{ refused: 1, topKeys: [{ key: "192.0.2.1" }] }]);
  });

  test("an unusual field is named with --time", async () => {
    const report = await counted(`{"meta":{"at":"2026-11-24T12:00:00Z"},"ip":"192.0.2.1"}\n`, { time: "meta.at" });
    expect(report).toMatchObject({ requests: 1, from: "2026-11-24T12:00:00.000Z" });
  });
});

describe("keys", () => {
  const named = [
    { time: noon, ip: "192.0.2.1", user: "alice", agent: "curl/8" },
    { time: noon, ip: "192.0.2.2", user: "alice", agent: "curl/8" },
    { time: noon, ip: "192.0.2.3", user: "alice", agent: 'say \\"hi\\"' },
    { time: noon, ip: "192.0.2.4", agent: "-" },
  ];

  test.for([
    { key: "ip", write: line.combined, clients: 4, keyless: 0 },
    { key: "user", write: line.combined, clients: 1, keyless: 1 },
    { key: "header:User-Agent", write: line.combined, clients: 2, keyless: 1 },
    { key: "header:referer", write: line.combined, clients: 1, keyless: 0 },
    { key: "header:x-forwarded-for", write: line.nginx, clients: 1, keyless: 0 },
    { key: "user", write: line.json, clients: 1, keyless: 1 },
    { key: "header:user-agent", write: line.json, clients: 2, keyless: 1 },
    { key: "json:headers.User-Agent", write: line.json, clients: 2, keyless: 1 },
  ])("$key", async ({ key, write, clients, keyless }) => {
    const report = await counted(lines(named, write), { key });
    expect(report).toMatchObject({ requests: 4 - keyless, clients, lines: { keyless, bad: 0 } });
  });

  test("IPv6 addresses count by their /64, as they do in the adapters", async () => {
    const report = await counted(lines([...at("2001:db8:1:2::1", 0, 0), ...at("2001:db8:1:2:ffff::9", 0)]));
    expect(report).toMatchObject({ clients: 1, policies: [{ topKeys: [{ key: "2001:db8:1:2::/64" }] }] });
  });

  test("host names are keys too", async () => {
    const report = await counted(lines(at("pc.example.com", 0, 0, 0)));
    expect(report).toMatchObject({ policies: [{ topKeys: [{ key: "pc.example.com" }] }] });
  });
});

describe("a log_format of nginx", () => {
  test("any fields in any order", async () => {
    const text = `${seconds}.100 0.004 "abc" 192.0.2.1 [x]\n${seconds}.200 0.004 "a\\"c" 192.0.2.1 [x]\n`;
    const report = await counted(text, {
      format: '$msec $request_time "$http_x_api_key" $remote_addr [$host]',
      key: "header:x-api-key",
    });
    expect(report).toMatchObject({ formats: ["custom"], requests: 2, clients: 2, lines: { bad: 0 } });
  });

  test("fields behind the end of the format are ignored", async () => {
    const report = await counted(lines(requests, (request) => `${line.combined(request)} 0.004 upstream-7`));
    expect(report).toMatchObject({ formats: ["combined"], requests: 5 });
  });
});

describe("bad lines", () => {
  test("are counted and shown, and never fatal", async () => {
    const broken = lines(requests).replace("24/Nov", "24/Foo");
    const path = file("access.log", `# restarted\n${broken}\n\u0000\u001b[31mbinary\u0007\n{}\nlast\n`);
    const report = await json<Report>(["replay", path, "--limit", "2/1m"]);
    expect(report).toMatchObject({ requests: 4, lines: { read: 9, bad: 5 } });
    expect(report.lines.badSamples.map(({ line, text }) => [line, text.slice(0, 11)])).toEqual([
      [1, "# restarted"],
      [2, "192.0.2.1 -"],
      [8, "\u0000\u001b[31mbinary".slice(0, 11)],
    ]);
    const { stdout, code } = await cli(["replay", path, "--limit", "2/1m"]);
    expect(code).toBe(0);
    expect(stdout).toContain("5 lines could not be read, such as:");
    expect(stdout).toContain(":1: # restarted");
    expect(stdout).toContain("\\u{1b}[31mbinary\\u{7}");
    expect(stdout).not.toContain("\u001b");
  });

  test.for(["replay --limit 2/1m", "suggest"])("%s says so if no line can be used", async (command) => {
    const [bad, keyless] = ['{"time":"soon","ip":"192.0.2.1"}\n', `{"time":${noon}}\n`];
    for (const content of [bad, keyless, bad + keyless]) {
      const { stdout, code } = await cli([...command.split(" "), file("log", content)]);
      expect({ code, first: stdout.split("\n")[0] }).toEqual({ code: 0, first: "No line of the log could be used." });
    }
  });

  test("JSON lines that are cut, or hold no object, time or address", async () => {
    const good = line.json({ time: noon, ip: "192.0.2.1" });
    const report = await counted(`${good}\n${good.slice(0, 30)}\n[1]\n7\n{"ip":"192.0.2.1"}\n{"time":"soon"}\n{"time":${noon}}\n`);
    expect(report).toMatchObject({ requests: 1, lines: { bad: 5, keyless: 1 } });
  });
});
