import { fileURLToPath } from 'node:url';
import preact from '@preact/preset-vite';
import { defineConfig } from 'vite';

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
});
