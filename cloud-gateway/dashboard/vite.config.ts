// Builds the dashboard into dist/, which the gateway serves as static files under `default-src 'self'`.
// `HILUM_FAKE=1 npm run dev` answers the API from dev/; otherwise /api goes to a gateway at HILUM_URL.
import { defineConfig } from 'vitest/config';
import { fakeGateway } from './dev/fake_gateway.ts';

const fake = process.env.HILUM_FAKE === '1';

export default defineConfig({
  plugins: fake ? [fakeGateway()] : [],
  build: {
    target: 'es2023',
    // The first versions with light-dark(), which every colour here is made of.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    // Nothing may become a data: URI: the content security policy allows this origin's files only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: true,
  },
  server: fake ? {} : { proxy: { '/api': process.env.HILUM_URL ?? 'http://127.0.0.1:8080' } },
  test: { include: ['tests/**/*.test.ts'] },
});
