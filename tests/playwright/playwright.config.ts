// Runs the dashboard in the system's Chromium against a gateway that is already up and holds results.
//   HILUM_URL            its address                                   (required)
//   HILUM_USER           a reviewer's name                             (required)
//   HILUM_PASSWORD       her password                                  (required)
//   HILUM_FACTOR_USER    another account with that password, for the second factor (required)
//   HILUM_ADMINISTRATOR  an administrator with that password           (required)
//   HILUM_SECOND         another reviewer's name, the same password    (required by second_reading.spec.ts)
//   HILUM_LEAD           a lead reviewer's name, the same password     (required by second_reading.spec.ts)
//   HILUM_OPERATOR       a fleet operator with that password           (required)
//   HILUM_SCREENSHOTS    a folder for a picture of each page           (optional)
//   HILUM_CHROMIUM       the browser                                   (default /usr/bin/chromium)
import { defineConfig } from '@playwright/test';
import { required } from './environment';

export default defineConfig({
  testDir: 'specs',
  // One browser at a time: the tests share one gateway and one work list.
  workers: 1,
  fullyParallel: false,
  forbidOnly: true,
  retries: 0,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: {
    baseURL: required('HILUM_URL'),
    viewport: { width: 1280, height: 800 },
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.HILUM_CHROMIUM ?? '/usr/bin/chromium',
      // Chromium's own sandbox can't start as root, which containers mostly are.
      args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    },
  },
});
