import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { lowerGlibc } from '../../../deploy/setup/elf.mjs';

const X86_64 = 62;

/** The binaries for the other processor are never patched on this machine. */
const OTHER = process.arch === 'arm64' ? 'x64' : 'arm64';
const BINARY = resolve(
  import.meta.dirname,
  `../../../node_modules/uWebSockets.js/uws_linux_${OTHER}_137.node`,
);

/** glibc's hash of a symbol or version name (System V gABI, "Hash Table"). */
function elfHash(name: string): number {
  let hash = 0;
  for (const character of name) {
    hash = (hash << 4) + character.charCodeAt(0);
    const high = hash & 0xf0000000;
    hash = (hash ^ (high >>> 24)) & ~high;
  }
  return hash >>> 0;
}

/**
 * A shared library with nothing but its dynamic symbols and what it needs of libc.so.6.
 *
 * @param symbols name and the version it is needed in
 */
function library(symbols: [name: string, version: string][], machine = X86_64): Buffer {
  let strings = '\0';
  const offsetOf = (text: string) => {
    if (!strings.includes(`\0${text}\0`)) strings += `${text}\0`;
    return strings.indexOf(`\0${text}\0`) + 1;
  };
  const versions = [...new Set(symbols.map(([, version]) => version))];

  const dynsym = Buffer.alloc(24 * (symbols.length + 1));
  const versym = Buffer.alloc(2 * (symbols.length + 1));
  symbols.forEach(([name, version], index) => {
    dynsym.writeUInt32LE(offsetOf(name), 24 * (index + 1));
    versym.writeUInt16LE(versions.indexOf(version) + 2, 2 * (index + 1));
  });

  const verneed = Buffer.alloc(16 * (versions.length + 1));
  verneed.writeUInt16LE(1, 0);
  verneed.writeUInt16LE(versions.length, 2);
  verneed.writeUInt32LE(offsetOf('libc.so.6'), 4);
  verneed.writeUInt32LE(16, 8);
  versions.forEach((version, index) => {
    const at = 16 * (index + 1);
    verneed.writeUInt32LE(elfHash(version), at);
    verneed.writeUInt16LE(index + 2, at + 6);
    verneed.writeUInt32LE(offsetOf(version), at + 8);
    verneed.writeUInt32LE(index === versions.length - 1 ? 0 : 16, at + 12);
  });

  const contents = [Buffer.alloc(0), Buffer.from(strings, 'latin1'), dynsym, versym, verneed];
  const types = [0, 3, 11, 0x6fffffff, 0x6ffffffe];
  const links = [0, 0, 1, 2, 1];
  const header = Buffer.alloc(64);
  header.write('\x7fELF\x02\x01\x01', 'latin1');
  header.writeUInt16LE(machine, 18);
  header.writeUInt16LE(64, 58);
  header.writeUInt16LE(contents.length, 60);
  const table = Buffer.alloc(64 * contents.length);
  let offset = header.length;
  contents.forEach((content, index) => {
    table.writeUInt32LE(types[index]!, 64 * index + 4);
    table.writeBigUInt64LE(BigInt(offset), 64 * index + 24);
    table.writeBigUInt64LE(BigInt(content.length), 64 * index + 32);
    table.writeUInt32LE(links[index]!, 64 * index + 40);
    offset += content.length;
  });
  header.writeBigUInt64LE(BigInt(offset), 40);
  return Buffer.concat([header, ...contents, table]);
}

/** What `library` was made of, read back. */
function symbolsOf(image: Buffer): [name: string, version: string][] {
  const section = (index: number) => {
    const at = Number(image.readBigUInt64LE(40)) + 64 * index;
    const offset = Number(image.readBigUInt64LE(at + 24));
    return image.subarray(offset, offset + Number(image.readBigUInt64LE(at + 32)));
  };
  const [strings, dynsym, versym, verneed] = [section(1), section(2), section(3), section(4)];
  const stringAt = (offset: number) => strings.toString('latin1', offset, strings.indexOf(0, offset));
  const versions = new Map<number, string>();
  for (let at = 16; at < verneed.length; at += 16) {
    const name = stringAt(verneed.readUInt32LE(at + 8));
    expect(verneed.readUInt32LE(at)).toBe(elfHash(name));
    versions.set(verneed.readUInt16LE(at + 6), name);
  }
  return Array.from({ length: dynsym.length / 24 - 1 }, (_, index) => [
    stringAt(dynsym.readUInt32LE(24 * (index + 1))),
    versions.get(versym.readUInt16LE(2 * (index + 1)))!,
  ]);
}

describe('lowerGlibc', () => {
  test('renames the C23 functions and wants glibc’s first version for them', () => {
    const image = library([
      ['memcpy', 'GLIBC_2.14'],
      ['__isoc23_strtol', 'GLIBC_2.38'],
      ['malloc', 'GLIBC_2.2.5'],
      ['__isoc23_sscanf', 'GLIBC_2.38'],
    ]);
    expect(lowerGlibc(image)).toEqual(['__isoc23_strtol', '__isoc23_sscanf']);
    expect(symbolsOf(image)).toEqual([
      ['memcpy', 'GLIBC_2.14'],
      ['strtol', 'GLIBC_2.2.5'],
      ['malloc', 'GLIBC_2.2.5'],
      ['sscanf', 'GLIBC_2.2.5'],
    ]);
  });

  test('leaves a library alone that needs nothing of glibc 2.38', () => {
    const image = library([['malloc', 'GLIBC_2.2.5']]);
    const before = Buffer.from(image);
    expect(lowerGlibc(image)).toEqual([]);
    expect(image.equals(before)).toBe(true);
  });

  test('refuses, unchanged, a library that needs something else of glibc 2.38', () => {
    const image = library([
      ['malloc', 'GLIBC_2.2.5'],
      ['__isoc23_strtol', 'GLIBC_2.38'],
      ['strlcpy', 'GLIBC_2.38'],
    ]);
    const before = Buffer.from(image);
    expect(() => lowerGlibc(image)).toThrow('needs GLIBC_2.38 for strlcpy');
    expect(image.equals(before)).toBe(true);
  });

  test('refuses what it does not know', () => {
    expect(() => lowerGlibc(Buffer.from('#!/bin/sh\n'))).toThrow('not a little-endian 64-bit ELF file');
    expect(() => lowerGlibc(library([['malloc', 'GLIBC_2.2.5']], 243))).toThrow('processor');
  });

  test('does it to the real uWebSockets.js, once', () => {
    expect(existsSync(BINARY)).toBe(true);
    const original = readFileSync(BINARY);
    const image = Buffer.from(original);
    const renamed = lowerGlibc(image);
    expect(renamed).toContain('__isoc23_strtol');
    expect(renamed.every((name: string) => name.startsWith('__isoc23_'))).toBe(true);
    // A name's offset for each symbol, hash and name's offset for the version: no other byte.
    const changed = image.reduce((count, byte, index) => count + (byte === original[index] ? 0 : 1), 0);
    expect(changed).toBeLessThanOrEqual(4 * renamed.length + 8);
    expect(lowerGlibc(image)).toEqual([]);
  });
});
