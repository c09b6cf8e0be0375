import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { Failure, reasonOf } from "../failure.ts";

/** A log that can be read once. */
export interface OpenLog {
  /** The name to show. */
  readonly name: string;
  /** Its size in bytes as stored; `undefined` if that is not known. */
  readonly size: number | undefined;
  /** Its content, unpacked. `onBytes` receives the number of stored bytes of each chunk that was read. */
  content(onBytes: (bytes: number) => void): AsyncIterable<Buffer>;
}

const stdinName = "-";

/**
 * Opens logs. `-` is standard input.
 * @throws {Failure} if one cannot be read.
 */
export function openLogs(files: readonly string[]): Promise<OpenLog[]> {
  if (files.filter((file) => file === stdinName).length > 1) throw new Failure("Expected `-` (standard input) once, got it twice");
  return Promise.all(files.map(openLog));
}

async function openLog(file: string): Promise<OpenLog> {
  if (file === stdinName) return { name: "standard input", size: undefined, content: (onBytes) => unpacked(file, process.stdin, onBytes) };
  const found = await stat(file).catch((error: unknown) => {
    throw unreadable(file, error);
  });
  if (found.isDirectory()) throw new Failure(`Cannot read ${file}: it is a folder; name the logs in it`);
  return {
    name: file,
    size: found.isFile() ? found.size : undefined,
    content: (onBytes) => unpacked(file, createReadStream(file, { highWaterMark: 256 * 1024 }), onBytes),
  };
}

/** Unpacks a stream if its first bytes are those of gzip, whatever its name is. */
async function* unpacked(file: string, stream: NodeJS.ReadableStream, onBytes: (bytes: number) => void): AsyncGenerator<Buffer> {
  const chunks = counted(stream as AsyncIterable<Buffer>, onBytes);
  try {
    const first = await magicOf(chunks);
    const all = startingWith(first, chunks);
    yield* isGzip(first) ? gunzipped(all) : all;
  } catch (error) {
    throw unreadable(file, error);
  }
}

async function* counted(chunks: AsyncIterable<Buffer>, onBytes: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    onBytes(chunk.length);
    yield chunk;
  }
}

/** Reads as many chunks as the two bytes take that gzip begins with: a pipe may pass on a single byte. */
async function magicOf(chunks: AsyncIterator<Buffer>): Promise<Buffer> {
  let read: Buffer = Buffer.alloc(0);
  while (read.length < 2) {
    const next = await chunks.next();
    if (next.done === true) break;
    read = Buffer.concat([read, next.value]);
  }
  return read;
}

async function* startingWith(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  yield* rest;
}

function gunzipped(chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const gunzip = createGunzip({ chunkSize: 256 * 1024 });
  // An error destroys `gunzip`, whose reader then receives it.
  pipeline(chunks, gunzip, () => {});
  return gunzip;
}

function isGzip(chunk: Buffer): boolean {
  return chunk[0] === 0x1f && chunk[1] === 0x8b;
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "you may not read it",
  Z_BUF_ERROR: "its gzip data ends too early",
  Z_DATA_ERROR: "its gzip data is damaged",
};

function unreadable(file: string, error: unknown): Failure {
  const reason = reasonOf(error);
  return new Failure(`Cannot read ${file}: ${reasons[reason] ?? reason}`, { cause: error });
}
