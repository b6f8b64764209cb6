// Builds the dashboard into dist/, which the gateway serves as static files under `default-src 'self'`.
// `HILUM_FAKE=1 npm run dev` answers the API from dev/; otherwise /api goes to a gateway at HILUM_URL.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { fakeGateway } from './dev/fake_gateway.ts';

const fake = process.env.HILUM_FAKE === '1';

export default defineConfig({
  plugins: fake ? [fakeGateway()] : [],
  // Cornerstone3D brings all of vtk.js; this part of it would not even start in a browser.
  resolve: { alias: { xmlbuilder2: fileURLToPath(new URL('src/viewer/no_xml.ts', import.meta.url)) } },
  build: {
    target: 'es2023',
    // The first versions with light-dark(), which every colour here is made of.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    // Nothing may become a data: URI: the content security policy allows this origin's files only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: true,
    // Licences that ask to be passed on with what is built of them: every bundled package's, in one file.
    license: { fileName: 'licenses.md' },
    // Cornerstone3D is one chunk of about 2.9 MB (0.8 MB on the wire), fetched with the first film and then cached.
    chunkSizeWarningLimit: 3_200,
  },
  server: fake ? {} : { proxy: { '/api': process.env.HILUM_URL ?? 'http://127.0.0.1:8080' } },
  test: { include: ['tests/**/*.test.ts'] },
});
