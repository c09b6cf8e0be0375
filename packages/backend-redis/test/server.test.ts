import { afterEach, describe, expect, test, vi } from "vitest";
import { readServer, warnOfVersion } from "../src/server.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const day = 24 * 3_600_000;

/** The relevant parts of INFO replies from different servers. */
const servers: readonly [info: string, name: string, version: string, isSupported: boolean, longestFillMs?: number][] = [
  ["redis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master", "Redis", "7.0.15", true],
  ["redis_version:6.2.0", "Redis", "6.2.0", true],
  ["redis_version:6.0.16", "Redis", "6.0.16", false],
  ["redis_version:5.0.14", "Redis", "5.0.14", false],
  ["redis_version:10.0.0", "Redis", "10.0.0", true],
  ["redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1", "Valkey", "8.0.1", true],
  ["redis_version:7.2.4\r\nvalkey_version:7.2.5", "Valkey", "7.2.5", true],
  ["redis_version:7.4.0\r\ndragonfly_version:df-v1.27.1", "Dragonfly", "df-v1.27.1", false, 37 * 3_600_000],
  ["redis_version:6.3.4\r\n# KeyDB\r\nmvcc_depth:0", "KeyDB", "6.3.4", false],
  ["redis_version:7.2.5\r\ngarnet_version:1.0.50", "Garnet", "1.0.50", false],
  ["kvrocks_version:2.11.1\r\nredis_version:7.0.0", "Kvrocks", "2.11.1", false],
  ["", "Redis", "", true],
];

describe("the reply to INFO", () => {
  test.each(servers)("%j", (info, name, version, isSupported, longestFillMs = Number.POSITIVE_INFINITY) => {
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const server = readServer(info);
    expect(server).toEqual({ name, version, isReplica: false, isCluster: false, longestFillMs });
    warnOfVersion(server);
    // Warns once per process and kind of server, and the table has two old versions of Redis.
    if (isSupported) expect(warn).not.toHaveBeenCalled();
    else if (version !== "5.0.14")
      expect(warn).toHaveBeenCalledExactlyOnceWith(
        expect.stringContaining(`got ${name} ${version}`),
        expect.objectContaining({ code: "RATELIMIT_REDIS_VERSION" }),
      );
  });

  test("identifies a replica", () => {
    expect(readServer("# Replication\r\nrole:slave\r\nmaster_host:10.0.0.1\r\n").isReplica).toBe(true);
    expect(readServer("# Replication\r\nrole:master\r\n").isReplica).toBe(false);
  });

  test.each([
    ["redis_mode:cluster", true],
    ["redis_mode:cluster\r\ncluster_enabled:1", true],
    ["# Cluster\r\ncluster_enabled:1\r\n", true],
    ["redis_mode:standalone\r\ncluster_enabled:0", false],
    ["redis_mode:sentinel", false],
    ["", false],
  ])("identifies a server that is part of a cluster: %j", (info, isCluster) => {
    expect(readServer(info).isCluster).toBe(isCluster);
  });

  test("from Dragonfly allows a fill time of one day, but not of two", () => {
    const { longestFillMs } = readServer("dragonfly_version:df-v1.27.1");
    expect([day <= longestFillMs, 2 * day <= longestFillMs]).toEqual([true, false]);
  });
});
