/** The limiters and services that are chosen at the top of the dashboard. */
const chosen = 'job=~"$job", ratelimit_limiter=~"$limiter"';
const ofJob = 'job=~"$job"';

/** Decisions that were made without the backend, because it was out. */
const withoutBackend = 'ratelimit_source=~"local|open|closed"';

function perSecond(metric: string, labels: string, by: string = ""): string {
  return `sum${by && ` by (${by}) `}(rate(${metric}{${labels}}[$__rate_interval]))`;
}

function share(part: string, whole: string): string {
  return `${part} / ${whole}`;
}

/** The SDK's own Prometheus exporter leaves out the unit that the Collector appends. */
function duration(quantile: number, by: string = ""): string {
  const buckets = `{__name__=~"ratelimit_decision_duration(_seconds)?_bucket", ${chosen}}`;
  return `histogram_quantile(${quantile}, sum by (${by ? `${by}, ` : ""}le) (rate(${buckets}[$__rate_interval])))`;
}

const decisions = "ratelimit_decisions_total";
const notAdmitted = `${chosen}, ratelimit_outcome!="admitted"`;

/** Every query of the dashboard. */
export const queries = {
  decisions: perSecond(decisions, chosen),
  decisionsByOutcome: perSecond(decisions, chosen, "ratelimit_outcome"),
  decisionsBySource: perSecond(decisions, chosen, "ratelimit_source"),
  refusedShare: share(perSecond(decisions, notAdmitted), perSecond(decisions, chosen)),
  refusedShareByLimiter: share(perSecond(decisions, notAdmitted, "ratelimit_limiter"), perSecond(decisions, chosen, "ratelimit_limiter")),
  nearLimitShare: share(perSecond("ratelimit_near_limit_total", chosen), perSecond(decisions, chosen)),
  nearLimitShareByLimiter: share(
    perSecond("ratelimit_near_limit_total", chosen, "ratelimit_limiter"),
    perSecond(decisions, chosen, "ratelimit_limiter"),
  ),
  withoutBackendShare: share(perSecond(decisions, `${chosen}, ${withoutBackend}`), perSecond(decisions, chosen)),
  openBreakers: `sum(ratelimit_breaker_open{${ofJob}})`,
  openBreakersByInstance: `sum by (instance) (ratelimit_breaker_open{${ofJob}})`,
  failuresByClass: perSecond("ratelimit_backend_failures_total", ofJob, "error_type"),
  p50: duration(0.5),
  p99: duration(0.99),
  p99BySource: duration(0.99, "ratelimit_source"),
  evictions: perSecond("ratelimit_evictions_total", ofJob, "instance"),
  blocks: perSecond("ratelimit_blocks_total", chosen, "ratelimit_limiter"),
  blockedRefusals: perSecond(decisions, `${chosen}, ratelimit_outcome="blocked"`, "ratelimit_limiter"),
} as const satisfies Record<string, string>;
