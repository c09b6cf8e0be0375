import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** "valid" is for localhost and 127.0.0.1. "wrong-name" is signed by the same authority, but for another host. */
export type CertificateKind = "valid" | "self-signed" | "wrong-name";

export interface Certificate {
  /** The authority that a client trusts, as PEM. It did not sign the "self-signed" certificate. */
  readonly ca: string;
  readonly caPath: string;
  readonly certPath: string;
  readonly keyPath: string;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Makes an authority and a server certificate in this folder with the program `openssl`. */
export async function makeCertificate(dir: string, kind: CertificateKind): Promise<Certificate> {
  const [caPath, caKeyPath, certPath, keyPath] = ["ca.pem", "ca.key", "server.pem", "server.key"].map((name) => join(dir, name)) as [
    string,
    string,
    string,
    string,
  ];
  const selfSign = ["req", "-x509", ...NEW_KEY, "-days", "2"];
  const names = kind === "wrong-name" ? "DNS:elsewhere.example" : "DNS:localhost,IP:127.0.0.1";

  await openssl(...selfSign, "-subj", "/CN=testbed authority", "-keyout", caKeyPath, "-out", caPath);
  if (kind === "self-signed") {
    const extension = ["-addext", `subjectAltName=${names}`];
    await openssl(...selfSign, "-subj", "/CN=localhost", ...extension, "-keyout", keyPath, "-out", certPath);
  } else {
    const [requestPath, extensionPath] = [join(dir, "server.csr"), join(dir, "server.ext")];
    await writeFile(extensionPath, `subjectAltName=${names}\n`);
    await openssl("req", "-new", ...NEW_KEY, "-subj", "/CN=testbed server", "-keyout", keyPath, "-out", requestPath);
    const authority = ["-CA", caPath, "-CAkey", caKeyPath, "-CAcreateserial"];
    const days = ["-days", "2", "-extfile", extensionPath];
    await openssl("x509", "-req", "-in", requestPath, ...authority, ...days, "-out", certPath);
  }
  return { ca: await readFile(caPath, "utf8"), caPath, certPath, keyPath };
}

async function openssl(...args: string[]): Promise<void> {
  try {
    await run("openssl", args, { timeout: 20_000 });
  } catch (cause) {
    throw new Error("Could not make a certificate: the TLS tests need the program `openssl` on PATH.", { cause });
  }
}
