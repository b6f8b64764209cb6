// What the tests are told from outside.

/** A variable that the tests can't do without. */
export function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') {
    throw new Error(`${name} is not set: start a gateway with results in it, then set HILUM_URL, HILUM_USER and HILUM_PASSWORD. "cargo xtask test" does all of it.`);
  }
  return value;
}
