import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { cli } from "./support/cli.ts";
import { file, folder } from "./support/folder.ts";
import { at, lines } from "./support/log.ts";

const log = lines(at("192.0.2.1", 0, 0, 0));

/** Each mistake is one sentence on stderr. `LOG` stands for a log that is fine. */
const mistakes: readonly (readonly [args: string, sentence: string])[] = [
  ["replay missing.log --limit 1/1m", "Cannot read missing.log: there is no such file"],
  ["replay / --limit 1/1m", "Cannot read /: it is a folder; name the logs in it"],
  ["replay - - --limit 1/1m", "Expected `-` (standard input) once, got it twice"],
  ["replay LOG", "Expected `--limit` to be given: write for example --limit 100/1m"],
  ["replay LOG --limit many", 'Expected `--limit` to be RATE/PERIOD or RATE/PERIOD:BURST, got "many": write for example --limit 100/1m'],
  [
    "replay LOG --compare 1/1m,5/1y",
    'Expected `--compare` to be RATE/PERIOD or RATE/PERIOD:BURST, got "5/1y": write for example --compare 100/1m',
  ],
  [
    "replay LOG --limit 1/1m:0",
    "Cannot use --limit 1/1m:0: expected `burst` to be a positive integer, got 0: leave it out for a bucket of `rate` tokens",
  ],
  [
    "replay LOG --limit 1/0s",
    'Cannot use --limit 1/0s: expected `period` to be seconds, or a string such as "1m", of whole milliseconds above 0, got "0s": write period: 60 or period: "1m" (units: ms, s, m, h, d)',
  ],
  ["replay LOG --limit 1/1m --burst x", 'Expected `--burst` to be a positive integer, got "x": leave it out for a bucket of one period'],
  [
    "replay LOG --limit 1/1m --limit 9/1h --burst 5",
    "Expected `--burst` to go with one --limit that has no burst, got 1/1m+9/1h: write --limit 100/1m:150",
  ],
  ["replay LOG --limit 1/1m --top 0", 'Expected `--top` to be a whole number from 1 to 10000, got "0": write for example --top 10'],
  [
    "replay LOG --limit 1/1m --key adress",
    'Expected `--key` to be ip, user, header:NAME or json:PATH, got "adress": write for example --key header:user-agent',
  ],
  [
    "replay LOG --limit 1/1m --key header:x-api-key",
    'Expected `--key` to be a field of the log, got "header:x-api-key": its headers are referer, user-agent; if it is there, describe the log with --format',
  ],
  [
    "replay LOG --limit 1/1m --key json:user",
    "Expected `--key json:PATH` to go with a JSON log, got a text log: write --key ip, user or header:NAME",
  ],
  [
    "replay LOG --limit 1/1m --format apache",
    "Expected `--format` to be auto, json, nginx, combined, common or a log_format of nginx, got \"apache\": write for example --format '$remote_addr [$time_local]'",
  ],
  [
    "replay LOG --limit 1/1m --format $remote_addr",
    "Expected `--format` to hold a time, got none: add $time_local, $time_iso8601 or $msec",
  ],
  [
    "replay LOG --limit 1/1m --block soon",
    'Cannot use --limit 1/1m: expected `block` to be seconds, or a string such as "1m", of whole milliseconds above 0, got "soon": write block: 60 or block: "1m" (units: ms, s, m, h, d)',
  ],
  ["replay LOG --limit 1/1m --html /missing/report.html", "Cannot write /missing/report.html: ENOENT"],
  ["replay LOG --limt 1/1m", "Unknown option '--limt' (Did you mean --limit?)"],
  ["replay", "Missing required argument 'files'"],
  ["reply LOG", "Unknown command 'reply' (Did you mean replay?)"],
  ["suggest LOG --refuse 101", 'Expected `--refuse` to be a percentage from 0 to 100, got "101": write for example --refuse 1'],
  [
    "suggest LOG --period hour",
    'Expected `--period` to be a length of time, got "hour": write for example --period 1m (units: ms, s, m, h, d)',
  ],
  ["size --keys 1 --limit 1/1m", "Required option '--rps <decisions>' not specified"],
  ["size --rps 0 --keys 1 --limit 1/1m", 'Expected `--rps` to be a whole number from 1 to 1000000000, got "0": write for example --rps 10'],
  ["size --rps 1 --keys 1 --limit 0/1m", "Expected `--limit` to admit something, got 0/1m: write for example --limit 100/1m"],
  [
    "size --rps 1 --keys 1 --limit 1/1m --hottest 2",
    'Expected `--hottest` to be a share from 0 to 1, got "2": write for example --hottest 0.1',
  ],
  [
    "size --rps 1 --keys 1 --limit 1/1m --lease 0s",
    'Expected `--lease` to be a length of time, got "0s": write for example --lease 1m (units: ms, s, m, h, d)',
  ],
  [
    "size --rps 1 --keys 1 --limit 1/1m --per-write 0.5",
    'Expected `--per-write` to be a number from 1 to 1000, got "0.5": write for example --per-write 10',
  ],
  ["size --rps 1 --keys 1 --limit 1/1m --costs missing.json", "Cannot read missing.json: ENOENT"],
];

test.for(mistakes)("%s", async ([args, sentence]) => {
  const path = file("access.log", log);
  const given = args.split(" ").map((arg) => (arg === "LOG" ? path : arg));
  expect(await cli(given)).toEqual({ code: 2, stdout: "", stderr: `${sentence}\n` });
});

test("a log of an unknown format is one sentence", async () => {
  const path = file("odd.log", "level=info msg=hello\n");
  expect(await cli(["replay", path, "--limit", "1/1m"])).toEqual({
    code: 2,
    stdout: "",
    stderr: `Cannot recognize the format of ${path}, whose first line is "level=info msg=hello": describe it with --format\n`,
  });
});

test.for([
  ["ends too early", (packed: Buffer): Buffer => packed.subarray(0, -20)],
  ["is damaged", (packed: Buffer): Buffer => Buffer.from(packed.map((byte, i) => (i === 30 ? byte ^ 0xff : byte)))],
] as const)("gzip data that %s is one sentence", async ([what, spoil]) => {
  const path = file("access.log.gz", spoil(gzipSync(lines(at("192.0.2.1", ...Array(2000).keys())))));
  expect(await cli(["replay", path, "--limit", "1/1m"])).toEqual({
    code: 2,
    stdout: "",
    stderr: `Cannot read ${path}: its gzip data ${what}\n`,
  });
});

test("without a command, the help goes to stderr", async () => {
  const { code, stdout, stderr } = await cli([]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  for (const command of ["replay", "suggest", "inspect", "top", "block", "reset", "size"]) expect(stderr).toContain(`  ${command} `);
});

test("--help and --version succeed", async () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8")) as { version: string };
  expect(await cli(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  expect(await cli(["replay", "--help"])).toMatchObject({ code: 0, stderr: "" });
});

test("refused requests are no failure, and --html is written beside the report", async () => {
  const html = join(folder(), "report.html");
  const { code, stdout } = await cli(["replay", file("access.log", log), "--limit", "1/1m", "--html", html]);
  expect(code).toBe(0);
  expect(stdout).toContain("2 requests (66.7%) from 1 client (100%) would have been refused.");
  expect(readFileSync(html, "utf8")).toContain("<!doctype html>");
});
