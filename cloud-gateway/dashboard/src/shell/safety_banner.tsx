// The sentence that stands above every page, signed in or not.
import type { JSX } from 'preact';

export function SafetyBanner(): JSX.Element {
  return (
    <p class="safety" role="note">
      <strong>Not a medical device. Not for diagnosis.</strong>
    </p>
  );
}
