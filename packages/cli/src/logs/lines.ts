import { StringDecoder } from "node:string_decoder";

/** The longest line that is kept. Longer ones are cut here, so that a file without line breaks does not fill the memory. */
const longestLine = 256 * 1024;

/** Splits a stream into lines, and yields those of each chunk together: a promise for every line would cost more than reading it. */
export async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  let rest = "";
  for await (const text of textOf(chunks)) {
    const lines = `${rest}${text}`.split("\n");
    rest = (lines.pop() as string).slice(0, longestLine);
    if (lines.length > 0) yield lines.map(withoutReturn);
  }
  if (rest !== "") yield [withoutReturn(rest)];
}

/** Decodes a stream. Drops the byte order mark that Windows puts before a file, which would become part of the first key. */
async function* textOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  let isStart = true;
  for await (const chunk of chunks) {
    const text = decoder.write(chunk);
    if (text === "") continue;
    yield isStart ? text.replace(/^\ufeff/, "") : text;
    isStart = false;
  }
  yield decoder.end();
}

function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}
