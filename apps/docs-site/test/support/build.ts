import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { site } from "../../src/repository.ts";

/** Where the tests put the site: a folder of a server, not its root. */
export const base = "/some/folder/";

/** Builds the site into `folder`, as `pnpm site` does. */
export async function buildSite(folder: string): Promise<void> {
  const env = { ...process.env, NODE_ENV: "production", SITE_BASE: base };
  await promisify(execFile)(process.execPath, ["node_modules/vitepress/bin/vitepress.js", "build", "--outDir", folder], { cwd: site, env });
}

/** The files of a folder, relative to it. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1));
}

const types: Readonly<Record<string, string>> = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css" };

/** Serves `folder` under `base`, and nothing else. */
export async function serveSite(folder: string): Promise<{ readonly url: string; close(): void }> {
  const server = createServer((req, res) => {
    const { pathname } = new URL(req.url ?? "/", "http://localhost");
    const path = join(folder, pathname.slice(base.length).replace(/(^|\/)$/, "$1index.html"));
    if (!pathname.startsWith(base) || !existsSync(path)) return res.writeHead(404).end();
    return res.writeHead(200, { "content-type": types[extname(path)] ?? "application/octet-stream" }).end(readFileSync(path));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}${base}`, close: () => void server.close().closeAllConnections() };
}
