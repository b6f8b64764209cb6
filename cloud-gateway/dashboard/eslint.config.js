// Lint rules of the dashboard: the strictest type-checked set, because an `any` on the way from the wire to a number
// that a radiologist reads is a defect.
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(globalIgnores(['dist', 'node_modules', 'eslint.config.js']), {
  files: ['**/*.{ts,tsx}'],
  extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
  languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
  rules: {
    eqeqeq: 'error',
    'no-console': 'error',
    // The API's own spelling on the wire is snake_case; `${number}` is what most sentences are made of.
    '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
    '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true }],
  },
});
