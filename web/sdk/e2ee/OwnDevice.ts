import type { Auth } from '../Auth.ts';
import { backoffMs, pause } from '../backoff.ts';
import { DuetApiError } from '../DuetApiError.ts';
import type { Http } from '../Http.ts';
import { DeviceKey } from './DeviceKey.ts';
import { FrameCrypto } from './FrameCrypto.ts';
import { openVault } from './IndexedDbVault.ts';
import { KnownDevices } from './KnownDevices.ts';
import type { Vault } from './Vault.ts';

/** This device for end-to-end encryption: its key, registered with every sign-in, and the devices that it knows. */
export class OwnDevice {
  readonly #http: Http;
  readonly #auth: Auth;
  readonly #vault: Vault = openVault();
  #supported: Promise<boolean> | undefined;
  #key: Promise<DeviceKey> | undefined;
  #known: KnownDevices | undefined;

  constructor(http: Http, auth: Auth) {
    this.#http = http;
    this.#auth = auth;
    auth.on('signedIn', () => {
      this.#key = undefined;
      void this.prepare();
    });
    auth.on('signedOut', () => {
      this.#key = undefined;
    });
  }

  /** Whether this browser can encrypt frames. */
  isSupported(): Promise<boolean> {
    this.#supported ??= FrameCrypto.isSupported();
    return this.#supported;
  }

  /** Makes and registers the key before it is needed. */
  async prepare(): Promise<void> {
    if (await this.isSupported()) await this.key().catch(() => undefined);
  }

  /** The same, and loads what encrypts frames. */
  async preload(): Promise<void> {
    if (await this.isSupported()) await Promise.all([this.prepare(), FrameCrypto.preload()]);
  }

  /** The key, once the server has it as that of this sign-in, however long that takes. Rejects when it is refused. */
  key(): Promise<DeviceKey> {
    this.#key ??= this.#register().catch((error) => {
      this.#key = undefined;
      throw error;
    });
    return this.#key;
  }

  /** Registers the key again: the server does not know it. */
  async registerAgain(): Promise<void> {
    this.#key = undefined;
    await this.key();
  }

  /** The devices of others that this person has met on this device. */
  known(userId: string): KnownDevices {
    if (this.#known?.userId !== userId) this.#known = new KnownDevices(this.#vault, userId);
    return this.#known;
  }

  async #register(): Promise<DeviceKey> {
    const { userId } = this.#auth;
    if (userId === undefined) throw new Error('nobody is signed in');
    const key = await DeviceKey.of(userId, this.#vault);
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#http.request('PUT', '/users/me/sessions/current/key', { body: { key: key.id } });
        return key;
      } catch (error) {
        if (!(error instanceof DuetApiError) || !error.isTemporary) throw error;
        await pause(backoffMs(attempt));
        if (this.#auth.userId !== userId) throw error;
      }
    }
  }
}
