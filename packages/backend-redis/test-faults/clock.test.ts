import { execFile } from "node:child_process";
import { closeSync, openSync, writeSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findRedisServer, startStandalone } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clock as now } from "../test/support/clock.ts";
import { runFault } from "../test/support/fault.ts";

const run = promisify(execFile);

/** Shifts the time that a program sees by the number of microseconds in a file. */
const shim = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile long long *ahead;
__attribute__((constructor)) static void start(void) {
  int fd = open(getenv("AHEAD_FILE"), O_RDONLY);
  void *page = mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0);
  if (page != MAP_FAILED) ahead = page;
}
int clock_gettime(clockid_t id, struct timespec *at) {
  int failed = syscall(SYS_clock_gettime, id, at);
  if (failed || id != CLOCK_REALTIME || !ahead) return failed;
  long long nanoseconds = at->tv_sec * 1000000000LL + at->tv_nsec + *ahead * 1000;
  at->tv_sec = nanoseconds / 1000000000LL;
  at->tv_nsec = nanoseconds % 1000000000LL;
  return 0;
}
int gettimeofday(struct timeval *at, void *zone) {
  struct timespec precise;
  int failed = clock_gettime(CLOCK_REALTIME, &precise);
  at->tv_sec = precise.tv_sec;
  at->tv_usec = precise.tv_nsec / 1000;
  return failed;
}
time_t time(time_t *at) {
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  if (at) *at = precise.tv_sec;
  return precise.tv_sec;
}
`;

let folder = "";
let file = 0;
/** Whether there is a C compiler. Without one these tests only print a line. */
let isThere = false;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ratelimit-clock-"));
  await writeFile(join(folder, "shim.c"), shim);
  const compiled = run("cc", ["-shared", "-fPIC", "-O1", "-o", join(folder, "shim.so"), join(folder, "shim.c")]);
  isThere = await compiled.then(
    () => true,
    () => false,
  );
  if (!isThere) process.stdout.write("no C compiler: the tests of the clock of Redis are skipped\n");
  await writeFile(join(folder, "ahead"), Buffer.alloc(4096));
  file = openSync(join(folder, "ahead"), "r+");
  const { path, env } = await findRedisServer();
  const libraries = env["LD_LIBRARY_PATH"] === undefined ? "" : `LD_LIBRARY_PATH=${env["LD_LIBRARY_PATH"]} `;
  const server = join(folder, "redis-server");
  await writeFile(server, `#!/bin/sh\nAHEAD_FILE=${folder}/ahead LD_PRELOAD=${folder}/shim.so ${libraries}exec ${path} "$@"\n`);
  await chmod(server, 0o700);
  if (isThere) process.env["REDIS_SERVER"] = server;
}, 60_000);

afterAll(async () => {
  closeSync(file);
  await rm(folder, { recursive: true, force: true });
});

function setAhead(seconds: number): void {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(seconds) * 1_000_000n);
  writeSync(file, bytes, 0, 8, 0);
}

describe("if the clock of Redis steps", () => {
  test.each([
    ["60 s ahead, it admits at most one more burst per key", 60, 1],
    ["60 s back, it admits nothing extra and locks nobody out", -60, 0],
  ])("%s", { timeout: 60_000 }, async (name, seconds, bursts) => {
    if (!isThere) return;
    setAhead(0);
    await using redis = await startStandalone();
    const { decisions, problems } = await runFault(name, {
      backend: { url: redis.url, timeout: "250ms" },
      hurt: async () => {
        setAhead(seconds);
        const admin = new Redis(redis.url);
        const [its] = await admin.time();
        admin.disconnect();
        expect(Math.abs(Number(its) - Date.now() / 1000 - seconds)).toBeLessThan(5);
      },
      heal: () => {},
      forMs: 2500,
      timeoutMs: 250,
      meanwhile: "backend",
      outages: 0,
      bursts,
    });
    expect(problems).toEqual([]);
    const last = decisions.filter(({ limiter, from, outcome }) => limiter === "tight" && outcome === "admitted" && from > now() - 1500);
    expect(last.length).toBeGreaterThan(10);
  });
});
