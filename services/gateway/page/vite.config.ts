// The page as plain files in dist/: no network beyond the gateway that serves them.
import { defineConfig } from 'vite';

export default defineConfig({
  base: './',
  build: {
    target: 'es2022',
    // Every asset a file of its own: the content policy of index.html allows no data: scripts or fonts.
    assetsInlineLimit: 0,
    sourcemap: false,
    chunkSizeWarningLimit: 600,
  },
});
