import { defineConfig } from 'vitest/config';
import { vulkanEnvironment } from './scripts/vulkan.mjs';

// Tests run in processes of their own, which find the Vulkan driver by these.
Object.assign(process.env, vulkanEnvironment());

export default defineConfig({
  test: {
    include: ['src/**/*.test.{ts,tsx}', 'scripts/**/*.test.mjs'],
    setupFiles: ['scripts/unexpected-console.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
