export { findRedisServer, type RedisBinary } from "./binary.ts";
export type { CertificateKind } from "./certificate.ts";
export type { Address } from "./client.ts";
export { type ClusterOptions, type RedisCluster, startCluster } from "./cluster.ts";
export { type FaultMode, type FaultProxy, startFaultProxy } from "./proxy.ts";
export { type SentinelGroup, type SentinelOptions, startSentinel } from "./sentinel.ts";
export type { RedisServer } from "./server.ts";
export { type Standalone, type StandaloneOptions, startStandalone } from "./standalone.ts";
export { type RedisUser, startTls, type TlsOptions, type TlsServer } from "./tls.ts";
