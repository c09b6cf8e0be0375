import { barChart, compareChart } from "./charts.ts";
import { type Markup, markup, raw } from "./markup.ts";
import { heldBack, isFarLate, lateNote, noRequests } from "./notes.ts";
import type { PolicyReport, Report } from "./report.ts";
import { style } from "./style.ts";
import { count, counted, limitWords, printable, share, span, time } from "./wording.ts";

/**
 * The report of `replay` as one HTML file. It has no script and loads nothing, so it can be mailed, printed and opened anywhere, and
 * nothing that a client wrote into the log can run in it.
 */
export function htmlReport(report: Report): string {
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Rate limit report</title>
<style>${raw(style)}</style>
</head>
<body>
<main>
<h1>What a rate limit would have done</h1>
${introduction(report)}
${warning(report)}
${report.policies.length > 1 ? comparison(report) : ""}
${report.requests === 0 ? "" : report.policies.map((policy) => policySection(policy, report))}
${notes(report)}
</main>
</body>
</html>
`;
  return page.html;
}

function introduction({ files, requests, clients, from, to, key, lines }: Report): Markup {
  if (from === null || to === null) return markup`<p class="lead">${noRequests(lines)}</p>`;
  return markup`<p class="lead">${counted(requests, "request")} from ${counted(clients, "client")} between ${time(from)} and ${time(to)} UTC,
replayed from ${files.map(printable).join(", ")}. A client is ${clientWords(key)}.</p>`;
}

/** Stands before the figures, because they are wrong if the time of a line is. */
function warning({ lines }: Report): Markup | string {
  return isFarLate(lines)
    ? markup`<p class="warning"><strong>Check the times in the log:</strong> ${lateNote(lines)} That is far: ${heldBack}</p>`
    : "";
}

/** What `--key` makes a client. */
function clientWords(key: string): string {
  if (key === "ip") return "an address (of IPv6, its /64 network)";
  if (key === "user") return "a user name";
  const [kind, name = ""] = key.split(/:(.*)/s);
  return kind === "header" ? `a value of the header ${printable(name)}` : `a value of the field ${printable(name)}`;
}

function comparison({ policies, requests, clients }: Report): Markup {
  const rows = policies.map(
    ({
      policy,
      limits,
      refused,
      refusedClients,
      worstMinute,
    }) => markup`<tr><th scope="row">${policy}<br><small>${limits.map(limitWords).join(", and ")}</small></th>
<td>${count(refused)}</td><td>${share(refused, requests)}</td><td>${count(refusedClients)}</td><td>${share(refusedClients, clients)}</td>
<td>${worstMinute === null ? "–" : count(worstMinute.refused)}</td></tr>`,
  );
  return markup`<section>
<h2>The policies side by side</h2>
${requests === 0 ? "" : compareChart(policies, requests)}
<div class="scroll"><table>
<thead><tr><th scope="col">Policy</th><th scope="col">Refused</th><th scope="col">of requests</th><th scope="col">Clients refused</th><th scope="col">of clients</th><th scope="col">Worst minute</th></tr></thead>
<tbody>${rows}</tbody>
</table></div>
</section>`;
}

function policySection(policy: PolicyReport, report: Report): Markup {
  const { limits, blockSeconds, refused, refusedClients, worstMinute } = policy;
  const worst =
    worstMinute === null
      ? markup`<div><dt>Worst minute</dt><dd>–<small>no request refused</small></dd></div>`
      : markup`<div><dt>Worst minute</dt><dd>${count(worstMinute.refused)}<small>of ${counted(worstMinute.requests, "request")}, at ${time(worstMinute.start)}</small></dd></div>`;
  return markup`<section>
<h2>${limits.map(limitWords).join(", and ")}</h2>
${blockSeconds > 0 ? markup`<p>A refused client stays blocked for ${span(blockSeconds)}.</p>` : ""}
<dl>
<div><dt>Requests refused</dt><dd>${share(refused, report.requests)}<small>${count(refused)} of ${count(report.requests)}</small></dd></div>
<div><dt>Clients refused at least once</dt><dd>${share(refusedClients, report.clients)}<small>${count(refusedClients)} of ${count(report.clients)}</small></dd></div>
${worst}
</dl>
<h3>Requests over time</h3>
${barChart(report.timeline, policy.refusedOverTime)}
${refused === 0 ? markup`<p class="good">No request would have been refused.</p>` : topTable(policy)}
</section>`;
}

function topTable({ topKeys, refusedClients }: PolicyReport): Markup {
  const most = Math.max(...topKeys.map(({ refused }) => refused));
  const rows = topKeys.map(
    ({ key, requests, refused, firstRefused, lastRefused }) => markup`<tr><th scope="row" class="key">${printable(key)}</th>
<td><meter min="0" max="${most}" value="${refused}" aria-hidden="true"></meter> ${count(refused)}</td><td>${share(refused, requests)}</td><td>${time(firstRefused)}</td><td>${time(lastRefused)}</td></tr>`,
  );
  const title =
    topKeys.length < refusedClients ? `The ${counted(topKeys.length, "client")} that were refused most` : "The clients that were refused";
  return markup`<h3>${title}</h3>
<div class="scroll"><table>
<thead><tr><th scope="col">Client</th><th scope="col">Refused</th><th scope="col">of its requests</th><th scope="col">First refused (UTC)</th><th scope="col">Last refused (UTC)</th></tr></thead>
<tbody>${rows}</tbody>
</table></div>`;
}

function notes({ lines, key, evictions }: Report): Markup {
  const { read, bad, badSamples, keyless, late, mostLateSeconds } = lines;
  return markup`<footer>
<h2>How to read this</h2>
<p>Every request of the log was put to the token bucket of @ratelimit/core, at the time at which the log dates it. A refused request is one
that the limit would have answered with 429. Clients are assumed to send the same requests either way.</p>
<ul>
<li>${counted(read, "line")} read, of which ${count(bad)} could not be understood and ${count(keyless)} had no key (${key}). They did not count.</li>
${badSamples.map(({ file, line, text }) => markup`<li class="sample"><code>${printable(`${file}:${line}: ${text}`)}</code></li>`)}
${late > 0 ? markup`<li>${lateNote({ late, mostLateSeconds })}</li>` : ""}
${evictions > 0 ? markup`<li>${counted(evictions, "bucket")} did not fit into memory: more requests would have been refused.</li>` : ""}
</ul>
</footer>`;
}
