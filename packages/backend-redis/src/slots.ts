/** Returns the Redis Cluster slot of a key: the CRC-16 (XMODEM) of its hash tag `{…}`, or of the whole key if it has none. */
export function slotOf(key: string): number {
  const text = hashed(key);
  let crc = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return slotOfBytes(Buffer.from(text));
    crc = next(crc, code);
  }
  return crc & 0x3fff;
}

function slotOfBytes(bytes: Buffer): number {
  return bytes.reduce(next, 0) & 0x3fff;
}

/** The CRC of each byte value. */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

function next(crc: number, byte: number): number {
  return ((crc << 8) & 0xffff) ^ (table[(crc >> 8) ^ byte] as number);
}

function hashed(key: string): string {
  const open = key.indexOf("{");
  const close = key.indexOf("}", open + 1);
  return open >= 0 && close > open + 1 ? key.slice(open + 1, close) : key;
}
