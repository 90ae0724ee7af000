// What is read here: the ELF-64 format (System V gABI, chapters 4 and 5) and the GNU symbol versions of the LSB
// (LSB Core, "Symbol Versioning"). All of it little-endian, as on x86-64 and arm64.

const SECTION_DYNSYM = 11;
const SECTION_GNU_VERNEED = 0x6ffffffe;
const SECTION_GNU_VERSYM = 0x6fffffff;
const SYMBOL_BYTES = 24;

const LIBC = 'libc.so.6';
const TOO_NEW = 'GLIBC_2.38';
const C23_PREFIX = '__isoc23_';

/** The first version of glibc's symbols on a machine (e_machine), which every glibc has. */
const BASE_VERSION = new Map([
  [62, 'GLIBC_2.2.5'], // x86-64
  [183, 'GLIBC_2.17'], // arm64
]);

/**
 * Makes a shared library that was linked against glibc 2.38 load on older ones, if all that it wants of 2.38 are
 * `strtol`, `sscanf` and their like in the C23 flavour (it differs in reading "0b101", nothing else).
 *
 * The names lose their prefix (`__isoc23_strtol` → `strtol`, by pointing behind it), and the wanted version becomes
 * glibc's first. `image` is changed in place.
 *
 * @param {Buffer} image the file
 * @returns {string[]} the renamed symbols; empty where nothing had to be done
 * @throws {Error} if the file wants anything else of glibc 2.38, or is not such a file
 */
export function lowerGlibc(image) {
  if (image.toString('latin1', 0, 6) !== '\x7fELF\x02\x01')
    throw new Error('not a little-endian 64-bit ELF file');
  const baseVersion = BASE_VERSION.get(image.readUInt16LE(18));
  if (!baseVersion) throw new Error('a processor that is not known here');

  const sections = readSections(image);
  const needs = sections.find(({ type }) => type === SECTION_GNU_VERNEED);
  const symbols = sections.find(({ type }) => type === SECTION_DYNSYM);
  const versions = sections.find(({ type }) => type === SECTION_GNU_VERSYM);
  if (!needs || !symbols || !versions) return [];

  const wanted = readNeeds(image, needs, sections[needs.link]).filter(({ file }) => file === LIBC);
  const tooNew = wanted.find(({ name }) => name === TOO_NEW);
  if (!tooNew) return [];

  const strings = sections[symbols.link];
  const affected = readSymbols(image, symbols, strings).filter(
    ({ index }) => (image.readUInt16LE(versions.offset + index * 2) & 0x7fff) === tooNew.index,
  );
  const others = affected.filter(({ name }) => !name.startsWith(C23_PREFIX));
  if (others.length > 0) throw new Error(`needs ${TOO_NEW} for ${others.map(({ name }) => name).join(', ')}`);
  const base = wanted.find(({ name }) => name === baseVersion);
  if (!base) throw new Error(`names no ${baseVersion}`);

  for (const { at } of affected) image.writeUInt32LE(image.readUInt32LE(at) + C23_PREFIX.length, at);
  image.copy(image, tooNew.at, base.at, base.at + 4); // vna_hash
  image.copy(image, tooNew.at + 8, base.at + 8, base.at + 12); // vna_name
  return affected.map(({ name }) => name);
}

/** Elf64_Shdr: type at 4, offset at 24, size at 32, link at 40. */
function readSections(image) {
  const start = Number(image.readBigUInt64LE(40));
  const bytes = image.readUInt16LE(58);
  return Array.from({ length: image.readUInt16LE(60) }, (_, index) => {
    const at = start + index * bytes;
    return {
      type: image.readUInt32LE(at + 4),
      offset: Number(image.readBigUInt64LE(at + 24)),
      size: Number(image.readBigUInt64LE(at + 32)),
      link: image.readUInt32LE(at + 40),
    };
  });
}

/** Elf64_Sym: name at 0. `at` is where the name's offset stands. */
function readSymbols(image, section, strings) {
  return Array.from({ length: section.size / SYMBOL_BYTES }, (_, index) => {
    const at = section.offset + index * SYMBOL_BYTES;
    return { index, at, name: readString(image, strings, image.readUInt32LE(at)) };
  });
}

/**
 * Elf64_Verneed (count at 2, file at 4, first entry at 8, next at 12), each with its Elf64_Vernaux entries (hash
 * at 0, index at 6, name at 8, next at 12). `at` is where the entry stands.
 */
function readNeeds(image, section, strings) {
  const needs = [];
  for (let need = section.offset, nextNeed = 1; nextNeed !== 0; need += nextNeed) {
    const file = readString(image, strings, image.readUInt32LE(need + 4));
    let at = need + image.readUInt32LE(need + 8);
    for (let left = image.readUInt16LE(need + 2); left > 0; left -= 1) {
      const name = readString(image, strings, image.readUInt32LE(at + 8));
      needs.push({ file, name, at, index: image.readUInt16LE(at + 6) & 0x7fff });
      at += image.readUInt32LE(at + 12);
    }
    nextNeed = image.readUInt32LE(need + 12);
  }
  return needs;
}

function readString(image, strings, offset) {
  const start = strings.offset + offset;
  return image.toString('latin1', start, image.indexOf(0, start));
}
