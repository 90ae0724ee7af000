import { fileURLToPath } from 'node:url';
import preact from '@preact/preset-vite';
import { defineConfig } from 'vite';

const SERVER = process.env.DUET_SERVER ?? 'http://127.0.0.1:3000';

/** The page: built into `web/dist` with hashed assets, served by the server under a strict CSP. */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  plugins: [preact()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2023',
    // Inlined assets would be data: URLs, which the CSP allows for pictures only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  // `npx vite web` for work on the page alone, beside a running server.
  server: {
    proxy: {
      '/api': SERVER,
      '/dev': SERVER,
    },
  },
});
