import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { command, SetupError } from './command.mjs';
import { NODE_MODULES, SETUP } from './paths.mjs';
import { hasApt, requireSystemPackages } from './systemPackages.mjs';

const PACKAGES = [
  'libuv1-dev',
  'libssl-dev',
  'libsrtp2-dev',
  'libflatbuffers-dev',
  'flatbuffers-compiler',
  'libabsl-dev',
  'ninja-build',
  'meson',
  'pkg-config',
  'g++',
];

/** What takes the place of what the worker's own build would download. */
const SHIMS = join(SETUP, 'mediasoup');

/** What compiling one file takes at most, roughly: a small machine compiles fewer at once. */
const MEMORY_PER_JOB_BYTES = 1e9;

/**
 * Builds the mediasoup worker from the C++ source inside the npm package, with the system's libraries.
 * Some five minutes on two cores. mediasoup/README.md says what is changed in the source and why.
 *
 * @param {string} folder an empty folder to build in
 * @param {import('./progress.mjs').Report} report
 * @returns {Promise<string>} the path of the executable inside `folder`
 */
export async function buildWorker(folder, report) {
  if (!hasApt()) {
    throw new SetupError(
      'The media worker could not be downloaded from GitHub, and building it needs Debian or Ubuntu: check the connection (behind a proxy: set MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL to a mirror, for HTTPS_PROXY is not followed) and start again, or set MEDIASOUP_WORKER_BIN.',
    );
  }
  report('getting the libraries that the media worker is built with');
  await requireSystemPackages(PACKAGES, 'the media worker is built with them');

  const source = join(folder, 'worker');
  const output = join(folder, 'out');
  copySource(source);

  const options = {
    log: 'worker',
    env: buildEnvironment(),
    failure:
      'The media worker could not be built: the log has the error. MEDIASOUP_WORKER_BIN may name one from elsewhere.',
  };
  report('building the media worker from source (some minutes, once)');
  await command('meson', ['setup', '--buildtype=release', '-Db_ndebug=true', output, source], options);
  await command('ninja', ['-C', output, '-j', String(jobs()), 'mediasoup-worker'], {
    ...options,
    append: true,
    onLine: (line) => {
      const [, done, all] = /^\[(\d+)\/(\d+)\]/.exec(line) ?? [];
      if (done) report(`building the media worker from source: ${done} of ${all}`, { everyMs: 20_000 });
    },
  });
  return join(output, 'mediasoup-worker');
}

/** The package's source with the changes of mediasoup/README.md. */
function copySource(target) {
  cpSync(join(NODE_MODULES, 'mediasoup', 'worker'), target, { recursive: true });
  const subprojects = join(target, 'subprojects');
  for (const name of readdirSync(subprojects)) rmSync(join(subprojects, name), { recursive: true });
  cpSync(join(SHIMS, 'subprojects'), subprojects, { recursive: true });
  cpSync(join(SHIMS, 'pch'), join(target, 'pch'), { recursive: true });

  const build = join(target, 'meson.build');
  change(build, "meson_version: '>= 1.1.0'", "meson_version: '>= 1.0.0'");
  change(
    build,
    "cpp_args + ['-DMS_EXECUTABLE'],",
    "cpp_args + ['-DMS_EXECUTABLE'],\n  cpp_pch: 'pch/worker.hpp',",
  );
  const flatbuffers = "flatbuffers_proj.get_variable('flatbuffers_dep'),";
  change(
    join(target, 'deps', 'libwebrtc', 'meson.build'),
    flatbuffers,
    `${flatbuffers}\n    flatbuffers_generator_dep,`,
  );
  change(
    join(target, 'src', 'RTC', 'DtlsTransport.cpp'),
    '(operationType == BIO_CB_RETURN) ?',
    '(operationType & BIO_CB_RETURN) ?',
  );
}

/** Replaces a text that must be there exactly once: a new mediasoup version must be looked at, not patched blindly. */
function change(path, from, to) {
  const text = readFileSync(path, 'utf8');
  const parts = text.split(from);
  if (parts.length !== 2) throw new Error(`${path}: expected once, found ${parts.length - 1} times: ${from}`);
  writeFileSync(path, parts.join(to));
}

/** Debian's meson and compiler, whatever Python or compiler of one's own comes first otherwise. */
function buildEnvironment() {
  const env = { ...process.env, PATH: `/usr/bin:/bin:${process.env.PATH}` };
  for (const name of ['CC', 'CXX', 'CFLAGS', 'CXXFLAGS', 'LDFLAGS', 'PYTHONPATH', 'PYTHONHOME'])
    delete env[name];
  return env;
}

function jobs() {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(totalmem() / MEMORY_PER_JOB_BYTES)));
}
