import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findRedisServer } from "../src/index.ts";
import { makeTmp, type Tmp } from "./leftovers.ts";

const ADVICE =
  "install Redis 7 or Valkey (Debian: `apt-get install redis-server`), or set REDIS_SERVER to its path, or run `pnpm test:unit`, which needs none.";

const REDIS = "echo 'Redis server v=7.4.1 sha=00000000:0 malloc=libc bits=64 build=0'";
const VALKEY = "echo 'Valkey server v=8.0.1 sha=00000000:0 malloc=libc bits=64 build=0'";
const OLD = "echo 'Redis server v=6.0.16 sha=00000000:0 malloc=libc bits=64 build=0'";

/** Creates a machine with only these programs on its PATH. Each is a name and a shell script. */
async function machine(tmp: Tmp, programs: Record<string, string>): Promise<{ env: NodeJS.ProcessEnv; cache: string }> {
  const bin = join(tmp.path, "bin");
  await mkdir(bin);
  for (const [name, script] of Object.entries(programs)) {
    await writeFile(join(bin, name), `#!/bin/sh\nPATH=/usr/bin:/bin\n${script}\n`);
    await chmod(join(bin, name), 0o755);
  }
  return { env: { PATH: bin }, cache: join(tmp.path, "cache/redis") };
}

/** A small copy of Debian's tools. A package is an empty file, and unpacking redis-server creates a server. */
const DEBIAN = {
  "apt-get": `for last; do :; done
    case "$*" in
      *update*) sleep 0.2; echo $$ >>"$(dirname "$0")/updates";;
      *download*) for deb in redis-server redis-tools; do : >$deb.deb; done;;
    esac`,
  "dpkg-deb": `mkdir -p $3/usr/bin $3/usr/lib/any-linux-gnu
    case $2 in *redis-server.deb)
      printf '#!/bin/sh\\n[ -n "$LD_LIBRARY_PATH" ] && echo "Redis server v=7.0.15 sha=0"\\n' >$3/usr/bin/redis-server
      chmod +x $3/usr/bin/redis-server;;
    esac`,
};

test("REDIS_SERVER is used first, then redis-server on the PATH, then valkey-server", async () => {
  using tmp = makeTmp();
  const { env, cache } = await machine(tmp, { mine: REDIS, "redis-server": REDIS, "valkey-server": VALKEY });
  const mine = join(tmp.path, "bin/mine");
  expect(await findRedisServer({ env: { ...env, REDIS_SERVER: mine }, cache })).toMatchObject({
    path: mine,
    origin: "REDIS_SERVER",
    version: "7.4.1",
  });
  expect(await findRedisServer({ env: { ...env, REDIS_SERVER: "" }, cache })).toMatchObject({
    path: join(tmp.path, "bin/redis-server"),
    origin: "path",
    version: "7.4.1",
  });
});

test("a server on the PATH that is too old is skipped", async () => {
  using tmp = makeTmp();
  const { env, cache } = await machine(tmp, { "redis-server": OLD, "valkey-server": VALKEY });
  expect(await findRedisServer({ env, cache })).toMatchObject({
    path: join(tmp.path, "bin/valkey-server"),
    version: "8.0.1",
  });
});

test.for([
  ["no tools", {}],
  ["only an old Redis", { "redis-server": OLD }],
  ["Debian but no network", { "apt-get": "echo 'E: Could not resolve' >&2; exit 100", "dpkg-deb": "exit 0" }],
  ["a Debian package that does not start", { ...DEBIAN, "dpkg-deb": "mkdir -p $3/usr/lib" }],
] as const)("on a machine with %s, one sentence says what to do", async ([, programs]) => {
  using tmp = makeTmp();
  const { env, cache } = await machine(tmp, programs);
  await expect(findRedisServer({ env, cache })).rejects.toThrow(new Error(`Found no redis-server: ${ADVICE}`));
});

test("if REDIS_SERVER is wrong, one sentence says so, even if there is another server", async () => {
  using tmp = makeTmp();
  const { env, cache } = await machine(tmp, { "redis-server": REDIS });
  await expect(findRedisServer({ env: { ...env, REDIS_SERVER: "no-such-redis" }, cache })).rejects.toThrow(
    new Error(`REDIS_SERVER is no-such-redis, which is no redis-server of version 7 or newer: ${ADVICE}`),
  );
});

test("on Debian it is unpacked into the cache once, even by four processes at a time", async () => {
  using tmp = makeTmp();
  const { env, cache } = await machine(tmp, DEBIAN);
  const found = await Promise.all(Array.from({ length: 4 }, () => findRedisServer({ env, cache })));
  for (const binary of found) {
    expect(binary).toMatchObject({ path: join(cache, "usr/bin/redis-server"), origin: "cache", version: "7.0.15" });
    expect(binary.env["LD_LIBRARY_PATH"]).toBe(join(cache, "usr/lib/any-linux-gnu"));
  }
  const bare = { PATH: "" };
  expect(await findRedisServer({ env: bare, cache })).toMatchObject({ origin: "cache" });
});

test("the server of the other tests has a version", async () => {
  expect((await findRedisServer()).version).toMatch(/^\d+\.\d+\.\d+/);
});
