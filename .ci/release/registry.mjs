// A package registry on the loopback address, as much of one as publishing and installing need. What it does not have, the real one has.
import { once } from "node:events";
import { createServer } from "node:http";

/** @typedef {{ name: string, versions: Record<string, { dist: { tarball: string } }>, "dist-tags": Record<string, string>, _attachments?: Record<string, { data: string }> }} Packument */

export async function startRegistry() {
  /** @type {Map<string, Packument>} */
  const packages = new Map();
  /** @type {Map<string, Buffer>} */
  const tarballs = new Map();
  const server = createServer((request, response) => void answer(request, response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { url: `http://127.0.0.1:${port}/`, packages, close: () => server.close() };

  /**
   * @param {import("node:http").IncomingMessage} request
   * @param {import("node:http").ServerResponse} response
   */
  async function answer(request, response) {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname).slice(1);
    const known = tarballs.get(path) ?? packages.get(path);
    if (request.method === "PUT") publish(/** @type {Packument} */ (JSON.parse(await bodyOf(request))), `http://${request.headers.host}`);
    else if (known === undefined) response.statusCode = 404;
    response.end(Buffer.isBuffer(known) ? known : JSON.stringify(known ?? {}));
  }

  /**
   * @param {Packument} sent
   * @param {string} origin
   */
  function publish({ name, versions, "dist-tags": tags, _attachments = {} }, origin) {
    const all = packages.get(name) ?? { name, versions: {}, "dist-tags": {} };
    const [data] = Object.values(_attachments);
    for (const [version, manifest] of Object.entries(versions)) {
      const path = `${name}/-/${version}.tgz`;
      tarballs.set(path, Buffer.from(data?.data ?? "", "base64"));
      all.versions[version] = { ...manifest, dist: { ...manifest.dist, tarball: `${origin}/${path}` } };
      // As npm does: the first version is the latest, whatever its tag.
      all["dist-tags"] = { latest: version, ...all["dist-tags"], ...tags };
    }
    packages.set(name, all);
  }
}

/** @param {import("node:http").IncomingMessage} request */
async function bodyOf(request) {
  let body = "";
  for await (const text of request.setEncoding("utf8")) body += text;
  return body;
}
