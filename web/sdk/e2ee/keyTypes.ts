/** Keys of WebCrypto by types that a browser and Node share: this folder's inside is tested in Node. */
export type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>;
export type KeyPair = { privateKey: Key; publicKey: Key };
